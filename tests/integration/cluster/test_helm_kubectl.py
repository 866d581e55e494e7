"""Releases and objects on a real cluster, through the official helms and kubectl."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.charts.package import package_chart
from bundle.errors import ClusterError, ReleaseError
from bundle.formats.versions import Version
from clients.cluster.diagnose import gather
from clients.cluster.helm import Helm
from clients.cluster.kubectl import Kubectl, Right
from clients.cluster.pods.trouble import Patience
from clients.cluster.pods.watch import Watch
from clients.cluster.rollout import install_release, remove_release, return_to
from clients.cluster.survey import survey
from clients.cluster.waiting import Say, await_ready, silent
from clients.programs.process import run
from tests.fixtures.parts.clusters import LOG_LINE, Cluster, asset
from tests.fixtures.parts.helms import Helm as OfficialHelm
from tests.fixtures.places import CHARTS, ROOT

PATIENCE = Patience(
    restarts=3, crash_loop=0.5, unreached_registry=3, unschedulable=0.5, unbound_volume=0.5, refused_pods=0.5,
    missing_config=0.5, failed_mount=5,
)  # fmt: skip
Install = Callable[..., Any]


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    return Kubectl(asset("kubectl"), kubeconfig=cluster.kubeconfig)


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = cluster.new_namespace()
    cluster.kubectl("create", "namespace", name)
    return name


def secret(namespace: str, name: str = "login", **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": encoded}


def held(kubectl: Kubectl, namespace: str, name: str = "login") -> dict[str, str]:
    found = kubectl.get("secret", name, namespace=namespace)
    assert found
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


class TestKubectl:
    def test_versions(self, kubectl: Kubectl) -> None:
        versions = kubectl.version()
        assert versions.server >= Version(major=1, minor=30)
        assert versions.client == versions.server

    def test_apply_get_list_delete(self, kubectl: Kubectl, namespace: str) -> None:
        assert kubectl.get("secret", "login", namespace=namespace) is None
        kubectl.apply([secret(namespace, password="one"), secret(namespace, "other", a="b")])
        kubectl.apply([secret(namespace, password="two")])
        assert held(kubectl, namespace) == {"password": "two"}
        listed = kubectl.list("secrets,configmaps", namespace=namespace)
        assert {"login", "other", "kube-root-ca.crt"} == {each["metadata"]["name"] for each in listed}
        assert kubectl.list("secrets", namespace=namespace, selector="a=b") == []
        assert namespace in {each["metadata"]["namespace"] for each in kubectl.list("secrets")}
        assert kubectl.delete("secret", "login", namespace=namespace)
        assert not kubectl.delete("secret", "login", namespace=namespace)

    def test_a_dry_run_changes_nothing(self, kubectl: Kubectl, namespace: str) -> None:
        assert kubectl.apply([secret(namespace, a="b")], dry_run=True) == ("secret/login",)
        assert kubectl.get("secret", "login", namespace=namespace) is None

    def test_create_never_overwrites(self, kubectl: Kubectl, namespace: str) -> None:
        kubectl.create(secret(namespace, key="first"))
        with pytest.raises(ClusterError, match=f"secret {namespace}/login: .*already exists") as caught:
            kubectl.create(secret(namespace, key="second"))
        assert caught.value.reason == "exists"
        assert held(kubectl, namespace) == {"key": "first"}

    def test_what_carries_our_label_is_ours_to_correct(
        self, kubectl: Kubectl, cluster: Cluster, namespace: str
    ) -> None:
        ours = secret(namespace, password="spec")
        ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "airgap"}
        kubectl.apply([ours])
        patch = json.dumps({"stringData": {"password": "by hand"}})
        cluster.kubectl("-n", namespace, "patch", "secret", "login", "-p", patch)
        assert held(kubectl, namespace) == {"password": "by hand"}
        kubectl.apply([ours])
        assert held(kubectl, namespace) == {"password": "spec"}

    def test_what_others_made_is_not(self, kubectl: Kubectl, cluster: Cluster, namespace: str) -> None:
        cluster.kubectl("-n", namespace, "create", "secret", "generic", "login", "--from-literal=password=theirs")
        with pytest.raises(ClusterError, match=f"secret {namespace}/login: .*kubectl-create") as caught:
            kubectl.apply([secret(namespace, password="hunter2")])
        assert caught.value.reason == "conflict"
        assert "remove secret" in caught.value.hint
        assert held(kubectl, namespace) == {"password": "theirs"}

    def test_rights_are_asked_in_one_run(self, cluster: Cluster, namespace: str) -> None:
        cluster.kubectl("-n", namespace, "create", "rolebinding", "see", "--clusterrole=view", "--user=visitor")
        runs: list[list[str]] = []

        def counting(argv: Any, **options: Any) -> Any:
            runs.append(argv)
            return run(argv, **options)

        visitor = Kubectl(asset("kubectl"), kubeconfig=cluster.login("visitor"), runner=counting)
        asked = [
            Right(verb="list", resource="pods", namespace=namespace),
            Right(verb="create", resource="secrets", namespace=namespace),
            Right(verb="get", resource="deployments", group="apps", namespace=namespace),
            Right(verb="create", resource="namespaces"),
            Right(verb="list", resource="pods"),
        ]
        assert visitor.can_i(asked) == (asked[1], asked[3], asked[4])
        assert visitor.can_i(asked[:1]) == ()
        assert len(runs) == 2

    def test_a_missing_right_is_named(self, cluster: Cluster, namespace: str) -> None:
        visitor = Kubectl(asset("kubectl"), kubeconfig=cluster.login("visitor"))
        with pytest.raises(ClusterError) as caught:
            visitor.list("secrets", namespace=namespace)
        assert caught.value.reason == "forbidden"
        assert f"the account 'visitor' may not list secrets in namespace '{namespace}'" in caught.value.what
        assert f"kubectl auth can-i list secrets --namespace {namespace}" in caught.value.hint
        with pytest.raises(
            ClusterError, match=f"secret {namespace}/login: the account 'visitor' may not patch secrets"
        ):
            visitor.apply([secret(namespace, password="hunter2")])

    @pytest.mark.parametrize(
        ("make", "reason", "words"),
        [
            pytest.param(
                lambda s: s(namespace="nowhere"), "not found", 'namespaces "nowhere" not found', id="namespace"
            ),
            pytest.param(lambda s: s(kind="Secrets"), "not found", "no matches for kind", id="kind"),
            pytest.param(lambda s: s(name="No_Name"), "invalid", "Invalid value", id="name"),
            pytest.param(lambda s: s(data={"a": "hunter2!!"}), "invalid", "illegal base64", id="data"),
        ],
    )
    def test_refusals(
        self, kubectl: Kubectl, namespace: str, make: Callable[..., Any], reason: str, words: str
    ) -> None:
        def changed(**change: Any) -> dict[str, Any]:
            made = secret(change.pop("namespace", namespace), change.pop("name", "login"), a="b")
            return {**made, **change}

        with pytest.raises(ClusterError, match=words) as caught:
            kubectl.apply([make(changed)])
        assert caught.value.reason == reason
        assert "hunter2" not in str(caught.value)

    def test_no_such_resource_type(self, kubectl: Kubectl) -> None:
        with pytest.raises(ClusterError, match="resource type") as caught:
            kubectl.get("nonsense", "x")
        assert caught.value.reason == "not found"

    def test_a_stranger(self, kubectl: Kubectl, cluster: Cluster, tmp_path: Path) -> None:
        config = json.loads(cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": "hunter2"}
        other = tmp_path / "config"
        other.write_text(json.dumps(config))
        with pytest.raises(ClusterError) as caught:
            Kubectl(asset("kubectl"), kubeconfig=other).list("pods")
        assert caught.value.reason == "unauthorized"
        assert "hunter2" not in str(caught.value)

    def test_a_cluster_that_is_not_trusted(self, cluster: Cluster, tmp_path: Path) -> None:
        config = json.loads(cluster.kubeconfig.read_text())
        del config["clusters"][0]["cluster"]["certificate-authority"]
        other = tmp_path / "config"
        other.write_text(json.dumps(config))
        helm = Helm(asset("helm3"), kubeconfig=other)
        for ask in (Kubectl(asset("kubectl"), kubeconfig=other).version, lambda: helm.list(["default"])):
            with pytest.raises(ClusterError, match="x509") as caught:
                ask()
            assert caught.value.reason == "untrusted"
            assert "certificate-authority" in caught.value.hint

    @pytest.mark.parametrize("change", [{"kubeconfig": Path("/nowhere/config")}, {"context": "nobody"}], ids=str)
    def test_no_configuration(self, cluster: Cluster, change: dict[str, Any]) -> None:
        options = {"kubeconfig": cluster.kubeconfig, **change}
        for ask in (
            Kubectl(asset("kubectl"), **options).version,
            lambda: Helm(asset("helm4"), **options).list(["default"]),
        ):
            with pytest.raises(ClusterError) as caught:
                ask()
            assert caught.value.reason == "unreachable"
            assert "KUBECONFIG" in caught.value.hint

    def test_logs_and_events(self, kubectl: Kubectl, cluster: Cluster, namespace: str) -> None:
        cluster.kubectl("-n", namespace, "run", "web", "--image=example.com/web:crash-loops")
        cluster.kubectl(
            "-n", namespace, "wait", "--for=create", "event", "--field-selector=reason=BackOff", "--timeout=60s"
        )
        assert kubectl.logs("web", "web", namespace=namespace, previous=True).strip() == LOG_LINE
        every, warnings = kubectl.events(namespace), kubectl.events(namespace, warnings=True)
        assert {"Scheduled", "BackOff"} <= {event.reason for event in every}
        assert {event.type for event in warnings} == {"Warning"}
        assert [event.last for event in every] == sorted(event.last for event in every)
        assert kubectl.events(namespace, since="2999-01-01T00:00:00Z") == ()


@pytest.fixture
def our_helm(helm: OfficialHelm) -> Helm:
    """Ours over each of the official ones."""
    return Helm(helm.bin / "helm", kubeconfig=helm.cluster.kubeconfig)


@pytest.fixture
def package(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / f"{name}-1.0.0.tgz"
        path.write_bytes(package_chart(CHARTS / name, name=name, subject=f"chart {name!r}"))
        return path

    return make


@pytest.fixture
def values(tmp_path: Path) -> Callable[..., Path]:
    def make(**content: Any) -> Path:
        path = tmp_path / "values.json"
        path.write_text(json.dumps(content))
        return path

    return make


@pytest.fixture
def upgrade(our_helm: Helm, namespace: str, package: Callable[[str], Path], values: Callable[..., Path]) -> Install:
    def do(chart: str, *, timeout: float = 60, dry_run: bool = False, description: str = "", **content: Any) -> Any:
        return our_helm.upgrade_install(
            "web",
            package(chart),
            namespace=namespace,
            values=values(**content),
            timeout=timeout,
            dry_run=dry_run,
            description=description,
        )

    return do


@pytest.fixture
def install(
    our_helm: Helm, kubectl: Kubectl, namespace: str, package: Callable[[str], Path], values: Callable[..., Path]
) -> Install:
    """Installs while watching."""

    def do(chart: str, *, timeout: float = 120, say: Say = silent, **content: Any) -> Any:
        found = our_helm.status("web", namespace=namespace)
        return install_release(
            our_helm,
            watching(kubectl, namespace),
            package(chart),
            before=found.revision if found else 0,
            values=values(**content),
            timeout=timeout,
            interval=0.5,
            say=say,
        )

    return do


def watching(kubectl: Kubectl, namespace: str) -> Watch:
    """Looks after release `web`, without much patience."""
    return Watch("web", namespace=namespace, cluster=kubectl, patience=PATIENCE, secrets=["mysql.internal"])


def lacking(kubectl: Kubectl, namespace: str) -> tuple[str, ...]:
    """What of release `web` is not ready."""
    looks = watching(kubectl, namespace)
    looks.look()
    return (*looks.lacking(), *looks.unsteady(0))


class TestHelm:
    def test_version(self, our_helm: Helm, helm: OfficialHelm) -> None:
        assert our_helm.version().major == helm.major

    def test_install_upgrade_rollback_uninstall(
        self, our_helm: Helm, kubectl: Kubectl, namespace: str, upgrade: Install
    ) -> None:
        assert our_helm.status("web", namespace=namespace) is None
        assert not our_helm.uninstall("web", namespace=namespace, timeout=60)
        made = upgrade("web", replicas=1, description="bundle 1")
        assert (made.name, made.namespace, made.revision, made.status) == ("web", namespace, 1, "deployed")
        assert (made.chart, made.description) == ("web-1.0.0", "bundle 1")
        assert "kind: Deployment" in made.manifest
        assert lacking(kubectl, namespace) == ()
        assert upgrade("web", replicas=2).revision == 2
        assert our_helm.get_values("web", namespace=namespace) == {"replicas": 2}
        our_helm.rollback("web", 1, namespace=namespace, timeout=60)
        history = our_helm.history("web", namespace=namespace)
        assert [(each.revision, each.status) for each in history] == [
            (1, "superseded"),
            (2, "superseded"),
            (3, "deployed"),
        ]
        assert our_helm.get_values("web", namespace=namespace) == {"replicas": 1}
        (listed,) = our_helm.list([namespace, namespace, "default"])
        assert (listed.name, listed.revision, listed.status, listed.chart) == ("web", 3, "deployed", "web-1.0.0")
        assert our_helm.uninstall("web", namespace=namespace, timeout=60)
        assert our_helm.list([namespace]) == ()
        assert kubectl.list("deployments,services", namespace=namespace) == []

    def test_a_dry_run_asks_the_cluster_and_changes_nothing(
        self, our_helm: Helm, namespace: str, upgrade: Install
    ) -> None:
        assert "name: web" in upgrade("web", dry_run=True).manifest
        assert our_helm.list([namespace]) == ()
        first = upgrade("generated")
        again = upgrade("generated", dry_run=True)
        assert [line for line in first.manifest.splitlines() if "password: " in line] == [
            line for line in again.manifest.splitlines() if "password: " in line
        ]

    def test_a_broken_upgrade_is_rolled_back(self, our_helm: Helm, namespace: str, install: Install) -> None:
        install("web")
        with pytest.raises(ReleaseError, match="release 'web': UPGRADE FAILED") as caught:
            install("web", image={"repository": "example.com/web", "tag": "never-ready"}, timeout=4)
        assert "timeout" in caught.value.hint
        assert caught.value.what.endswith("rolled back to revision 1 (web-1.0.0)")
        history = our_helm.history("web", namespace=namespace)
        assert [each.status for each in history] == ["superseded", "failed", "deployed"]
        assert our_helm.get_values("web", namespace=namespace) == {}

    def test_a_broken_install_leaves_nothing(self, our_helm: Helm, namespace: str, install: Install) -> None:
        with pytest.raises(ReleaseError, match="helm: release 'web': "):
            install("broken-hook", timeout=30)
        assert our_helm.list([namespace]) == ()

    def test_what_somebody_else_made_is_not_taken(self, cluster: Cluster, namespace: str, upgrade: Install) -> None:
        cluster.kubectl("-n", namespace, "create", "service", "clusterip", "web", "--tcp=80")
        with pytest.raises(ReleaseError, match=r'Service "web" .*exists and cannot be imported') as caught:
            upgrade("web")
        assert "remove that object" in caught.value.hint

    def test_an_account_without_rights(
        self, helm: OfficialHelm, namespace: str, package: Callable[[str], Path], values: Callable[..., Path]
    ) -> None:
        visitor = Helm(helm.bin / "helm", kubeconfig=helm.cluster.login("visitor"))
        with pytest.raises(ClusterError, match="'visitor' may not list secrets in namespace") as caught:
            visitor.list([namespace])
        assert caught.value.reason == "forbidden"
        with pytest.raises(ClusterError, match="release 'web': the account 'visitor' may not"):
            visitor.upgrade_install("web", package("web"), namespace=namespace, values=values(), timeout=20)

    def test_nothing_of_the_users_own_helm_takes_part(
        self, our_helm: Helm, tmp_path: Path, upgrade: Install, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "home"
        home.mkdir()
        for name in ("HOME", "HELM_DATA_HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_PLUGINS"):
            monkeypatch.setenv(name, str(home))
        monkeypatch.setenv("HELM_KUBECONTEXT", "nobody")
        monkeypatch.setenv("HELM_NAMESPACE", "default")
        upgrade("web")
        # The Kubernetes client's own cache of the API's kinds, which kubectl shares.
        assert {path.name for path in home.iterdir()} <= {".kube"}

    @pytest.mark.parametrize("first", [False, True], ids=["upgrade", "install"])
    def test_recovers_what_a_kill_left(
        self,
        our_helm: Helm,
        helm: OfficialHelm,
        namespace: str,
        upgrade: Install,
        package: Callable[[str], Path],
        values: Callable[..., Path],
        first: bool,
    ) -> None:
        """The program is killed outright while helm waits; helm must die with it, and the next run go on."""
        if not first:
            upgrade("web", replicas=1)
        assert our_helm.recover("web", namespace=namespace, timeout=60) == ""
        program = (
            "from pathlib import Path; from clients.cluster.helm import Helm; import sys;"
            "Helm(sys.argv[1], kubeconfig=Path(sys.argv[2])).upgrade_install('web', Path(sys.argv[3]),"
            " namespace=sys.argv[4], values=Path(sys.argv[5]), timeout=300)"
        )
        image = values(image={"repository": "example.com/web", "tag": "never-ready"})
        argv = [str(helm.bin / "helm"), str(helm.cluster.kubeconfig), str(package("web")), namespace, str(image)]
        process = subprocess.Popen([sys.executable, "-c", program, *argv], cwd=ROOT)
        try:
            while not (now := our_helm.status("web", namespace=namespace)) or not now.is_pending:
                assert process.poll() is None
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        told = our_helm.recover("web", namespace=namespace, timeout=60)
        if first:
            assert told.endswith(
                "found release 'web' pending-install at revision 1, left by an interrupted helm: removed it"
            )
            assert our_helm.list([namespace]) == ()
        else:
            assert "pending-upgrade at revision 2" in told
            assert told.endswith("went back to revision 1 (web-1.0.0)")
        assert upgrade("web", replicas=1).status == "deployed"
        assert not [line for line in _processes() if "never-ready" in line or f"--namespace={namespace}" in line]

    def test_another_helm_at_work(self, our_helm: Helm, namespace: str, upgrade: Install) -> None:
        stop = threading.Event()
        upgrade("web")

        def slow() -> None:
            with pytest.raises(ReleaseError):
                upgrade("web", image={"repository": "example.com/web", "tag": "never-ready"}, timeout=8)
            stop.set()

        thread = threading.Thread(target=slow)
        thread.start()
        try:
            while not stop.is_set() and not our_helm.status("web", namespace=namespace).is_pending:  # type: ignore[union-attr]
                time.sleep(0.1)
            with pytest.raises(ReleaseError, match="in progress") as caught:
                upgrade("web", replicas=3)
            assert "recovers the release" in caught.value.hint
        finally:
            thread.join()


class TestWatching:
    def test_a_good_release(self, install: Install, kubectl: Kubectl, namespace: str) -> None:
        assert install("hook").status == "deployed"
        assert lacking(kubectl, namespace) == ()

    def test_an_image_that_can_not_be_pulled(self, install: Install, our_helm: Helm, namespace: str) -> None:
        with pytest.raises(ReleaseError) as caught:
            install("unpullable", timeout=300)
        told = str(caught.value)
        assert "release 'web' does not come up: pod web-" in told
        assert "image registry.example.com/web:pull-fails can't be pulled: manifest unknown: not found" in told
        assert "Failed: Failed to pull image" in told
        assert "check that registry.example.com/web:pull-fails is in the registry" in caught.value.hint
        assert our_helm.list([namespace]) == ()

    def test_a_crash_loop_in_an_upgrade_goes_back(
        self, install: Install, our_helm: Helm, kubectl: Kubectl, namespace: str
    ) -> None:
        install("web", replicas=1)
        with pytest.raises(ReleaseError) as caught:
            install("web", replicas=1, image={"repository": "example.com/web", "tag": "crash-loops"}, timeout=300)
        told = str(caught.value)
        assert "container 'web' ended 4 times, last by Error with exit code 1" in told
        assert "last log lines:" in told
        assert LOG_LINE.replace("mysql.internal", "***") in told
        assert [each.status for each in our_helm.history("web", namespace=namespace)][-1] == "deployed"
        assert our_helm.get_values("web", namespace=namespace) == {"replicas": 1}
        assert lacking(kubectl, namespace) == ()

    def test_a_hook_that_fails(self, install: Install) -> None:
        with pytest.raises(ReleaseError) as caught:
            install("broken-hook", timeout=300)
        assert "does not come up: " in str(caught.value)
        assert "web-migrate" in str(caught.value)
        assert LOG_LINE.replace("mysql.internal", "***") in str(caught.value)

    def test_a_pod_too_large(self, install: Install) -> None:
        with pytest.raises(ReleaseError, match="Unschedulable: 0/2 nodes are available: 2 Insufficient cpu"):
            install("web", resources={"requests": {"cpu": "100"}}, timeout=300)

    def test_a_quota(self, install: Install, cluster: Cluster, namespace: str) -> None:
        cluster.kubectl("-n", namespace, "create", "quota", "small", "--hard=pods=0")
        with pytest.raises(ReleaseError, match=r"replicaset web-.*: its pods are refused: .*exceeded quota: small"):
            install("web", timeout=300)

    def test_only_slow(self, install: Install) -> None:
        with pytest.raises(ReleaseError, match=r"waited for deployment web: 0 of 2 replicas ready"):
            install("web", image={"repository": "example.com/web", "tag": "never-ready"}, timeout=6)

    @pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
    def test_a_registry_that_is_away(self, install: Install) -> None:
        """The reason changes every second, the cause does not."""
        with pytest.raises(ReleaseError, match=r"can't be pulled: dial tcp .* connection refused") as caught:
            install("web", image={"repository": "registry.example.com/web", "tag": "unreached"}, timeout=60)
        assert "check that the nodes resolve and reach registry.example.com" in caught.value.hint
        assert "timed out" not in caught.value.what

    def test_ready_for_an_instant_is_not_ready(self, install: Install, kubectl: Kubectl, namespace: str) -> None:
        """helm takes the first look for the truth."""
        assert install("web", image={"repository": "example.com/web", "tag": "exits"}).status == "deployed"
        with pytest.raises(ReleaseError, match=r"its pods fail: .* ended \d times, last by Error with exit code 2"):
            await_ready(watching(kubectl, namespace), timeout=120, interval=0.3)

    @pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
    def test_a_good_release_stays_ready(self, install: Install, kubectl: Kubectl, namespace: str) -> None:
        install("web")
        began = time.monotonic()
        await_ready(watching(kubectl, namespace), timeout=60, steady=3, interval=0.3)
        assert time.monotonic() - began >= 3

    @pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
    def test_what_heals_by_itself_is_not_cut_off(self, install: Install) -> None:
        """A mount that fails once, and init containers that work for longer than a failing mount may last."""
        begins = [{"name": "wait", "image": "example.com/wait:1"}]
        image = {"repository": "example.com/web", "tag": "late-mount"}
        assert install("web", replicas=1, image=image, initContainers=begins).status == "deployed"

    @pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
    def test_what_is_waited_for_is_said(self, install: Install) -> None:
        said: list[str] = []
        with pytest.raises(ReleaseError) as caught:
            install("web", image={"repository": "example.com/web", "tag": "never-ready"}, timeout=15, say=said.append)
        assert any("0 of 2 replicas ready" in each for each in said)
        assert f"container 'web' runs, but is not ready; its last log line: {LOG_LINE}".replace(
            "mysql.internal", "***"
        ) in "\n".join(said)
        assert "pod web-" in caught.value.what
        assert LOG_LINE.replace("mysql.internal", "***") in caught.value.what

    def test_a_rollback_that_can_not_come_up_ends_early(
        self, install: Install, our_helm: Helm, kubectl: Kubectl, cluster: Cluster, namespace: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """The pods of the revision before fail too, as with a database that is away; helm would wait in silence."""
        monkeypatch.setattr("clients.cluster.rollout._SETTLING", 2.0)
        install("web", replicas=1)
        install("web", replicas=1, passwordSecret="")
        gone = '[{"op": "add", "path": "/spec/template/metadata/labels/airgap.test~1fate", "value": "pull-fails"}]'
        cluster.kubectl("-n", namespace, "patch", "deployment", "web", "--type=json", "-p", gone)
        began = time.monotonic()
        with pytest.raises(ReleaseError, match="does not come up: pod web-") as caught:
            install("web", replicas=2, image={"repository": "example.com/web", "tag": "pull-fails"}, timeout=300)
        assert time.monotonic() - began < 300, "before its time is up"
        assert "rolled back to revision 2" in caught.value.what
        assert "which does not come up either" in caught.value.what
        assert our_helm.history("web", namespace=namespace)[-1].status == "deployed"

    def test_a_stateful_set_goes_back(self, install: Install, kubectl: Kubectl, namespace: str) -> None:
        """By itself it would wait for ever until the pod of the failed revision is ready, before it replaces that."""

        def pod(tag: str) -> dict[str, Any]:
            return {"containers": [{"name": "web", "image": f"example.com/web:{tag}"}]}

        install("fate", kind="StatefulSet", pod=pod("1.0.0"))
        with pytest.raises(ReleaseError, match=r"pod web-0: (ErrImagePull|ImagePullBackOff)") as caught:
            install("fate", kind="StatefulSet", pod=pod("pull-fails"))
        assert caught.value.what.endswith("rolled back to revision 1 (fate-1.0.0)")
        (kept,) = kubectl.list("pods", namespace=namespace)
        assert kept["spec"]["containers"][0]["image"] == "example.com/web:1.0.0"
        assert lacking(kubectl, namespace) == ()

    def test_a_rollback_by_hand(self, install: Install, our_helm: Helm, kubectl: Kubectl, namespace: str) -> None:
        install("web", replicas=1)
        install("web", replicas=2)
        return_to(our_helm, watching(kubectl, namespace), 1, timeout=60, interval=0.3)
        assert lacking(kubectl, namespace) == ()
        assert our_helm.get_values("web", namespace=namespace) == {"replicas": 1}

    @pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
    def test_what_is_removed_has_ended(
        self, install: Install, our_helm: Helm, kubectl: Kubectl, namespace: str
    ) -> None:
        install("web", replicas=1)
        assert remove_release(our_helm, watching(kubectl, namespace), timeout=60, interval=0.3) == ()
        assert kubectl.list("pods", namespace=namespace) == []

    def test_a_hook_job_of_a_killed_run_is_let_end(
        self, install: Install, kubectl: Kubectl, cluster: Cluster, our_helm: Helm, namespace: str
    ) -> None:
        """helm deletes a job of the same name before it makes its own: not in the middle of a migration."""
        with pytest.raises(ReleaseError):
            install("hook", timeout=5, fate="never-ready")
        (job,) = kubectl.list("jobs.batch", namespace=namespace)
        (pod,) = kubectl.list("pods", namespace=namespace)
        said: list[str] = []
        ends = threading.Timer(3, lambda: end_pod(cluster, pod))
        ends.start()
        assert install("hook", say=said.append).status == "deployed"
        ends.join()
        assert said[0].startswith("hook job web-migrate of an earlier run, which is not cut off: ")
        (new,) = kubectl.list("jobs.batch", namespace=namespace)
        assert new["metadata"]["uid"] != job["metadata"]["uid"]
        with pytest.raises(ReleaseError):
            install("hook", timeout=5, fate="never-ready")
        with pytest.raises(ReleaseError, match="hook job web-migrate of an earlier run is still at work after 2 s"):
            install("hook", timeout=2)

    def test_the_api_server_restarts_meanwhile(
        self, install: Install, cluster: Cluster, our_helm: Helm, namespace: str
    ) -> None:
        """Helm may give up, or not; in either case a second run succeeds."""

        def first_run() -> None:
            with contextlib.suppress(ReleaseError, ClusterError):
                install("hook", timeout=20)

        thread = threading.Thread(target=first_run)
        thread.start()
        time.sleep(0.3)
        cluster.stop_apiserver()
        cluster.start_apiserver()
        thread.join()
        our_helm.recover("web", namespace=namespace, timeout=60)
        assert install("hook").status == "deployed"


def end_pod(cluster: Cluster, pod: dict[str, Any]) -> None:
    """Have a pod of the simulated nodes end well."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    container = {**pod["status"]["containerStatuses"][0], "ready": False, "started": False}
    container["state"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    status = {"status": {"phase": "Succeeded", "containerStatuses": [container]}}
    cluster.kubectl("-n", namespace, "patch", "pod", name, "--subresource=status", "-p", json.dumps(status))


class TestDiagnosis:
    def test_of_a_broken_release(
        self,
        cluster: Cluster,
        kubectl: Kubectl,
        namespace: str,
        package: Callable[[str], Path],
        values: Callable[..., Path],
    ) -> None:
        """A pull secret for another host, an image that can't be pulled, an ingress that nobody serves."""
        config = {"auths": {"other.example.com": {"username": "me", "password": "hunter2"}}}
        login = secret(namespace, **{".dockerconfigjson": json.dumps(config)})
        kubectl.apply([{**login, "type": "kubernetes.io/dockerconfigjson"}])
        rule = "hello.example.com/=web:80"
        cluster.kubectl("-n", namespace, "create", "ingress", "web", "--class=nobody", f"--rule={rule}")
        asked = values(image={"repository": "registry.example.com/web", "tag": "pull-fails"}, pullSecret="login")
        install = ["upgrade", "--install", "web", str(package("web")), "-n", namespace, "--values", str(asked)]
        subprocess.run([asset("helm3"), *install], env=cluster.env, check=True, capture_output=True)
        helm = Helm(asset("helm3"), kubeconfig=cluster.kubeconfig)
        for _ in range(100):
            found = gather(survey([("web", namespace)], helm=helm, cluster=kubectl))
            overview = found[f"{namespace}/overview.txt"]
            if "ImagePullBackOff" in overview and "replicas ready" in overview:
                break
            time.sleep(0.2)
        likely = found["likely-causes.txt"]
        assert "its image comes from registry.example.com, but its pull secrets open only other.example.com" in likely
        assert "image registry.example.com/web:pull-fails can't be pulled" in likely
        assert "ingress web has no address: no controller serves its class 'nobody'" in likely
        assert found[f"{namespace}/secrets.txt"].startswith("login kubernetes.io/dockerconfigjson: .dockerconfigjson\n")
        assert "1 deployed web-1.0.0" in found[f"{namespace}/releases.txt"]
        assert "deployment web: 0 of 2 replicas ready" in found[f"{namespace}/overview.txt"]
        assert "ingress web hello.example.com: no address" in found[f"{namespace}/overview.txt"]
        assert f"{namespace}/not-gathered.txt" not in found
        assert "hunter2" not in json.dumps(found)
        assert base64.b64encode(b"hunter2").decode() not in json.dumps(found)

    def test_what_may_not_be_seen_is_a_gap(self, cluster: Cluster, namespace: str) -> None:
        visitor = cluster.login("visitor")
        ours, theirs = Helm(asset("helm3"), kubeconfig=visitor), Kubectl(asset("kubectl"), kubeconfig=visitor)
        found = gather(survey([("web", namespace)], helm=ours, cluster=theirs))
        assert "'visitor' may not list secrets" in found[f"{namespace}/not-gathered.txt"]


def _processes() -> list[str]:
    lines = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                lines.append(Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return [line for line in lines if "helm" in line]
