"""The cluster and the helms themselves: what other tests rely on is true of the real programs."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.parts.clusters import LOG_LINE, NODES, Cluster, asset
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import PartError
from tests.fixtures.places import CHARTS

SOON = "--timeout=60s"


def workload(kind: str, name: str, *, image: str = "registry.example.com/web:1.0.0", **container: object) -> str:
    """A Deployment of one replica, or a Job that is tried once, as JSON for kubectl's stdin."""
    labels = {"app": name}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": image, **container}]},
    }
    if kind == "Job":
        pod["spec"]["restartPolicy"] = "Never"  # type: ignore[index]
        version, spec = "batch/v1", {"backoffLimit": 0, "template": pod}
    else:
        version, spec = "apps/v1", {"selector": {"matchLabels": labels}, "template": pod}
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = cluster.new_namespace()
    cluster.kubectl("create", "namespace", name)
    return name


def test_nodes_are_ready_on_amd64(cluster: Cluster) -> None:
    what = "jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.architecture}{'\\n'}{end}"
    assert cluster.kubectl("get", "nodes", "-o", what).splitlines() == [f"{name} amd64" for name in NODES]


def test_versions_are_told(cluster: Cluster) -> None:
    told = json.loads(cluster.kubectl("version", "--output", "json"))
    assert told["serverVersion"]["gitVersion"] == told["clientVersion"]["gitVersion"]
    assert told["serverVersion"]["gitVersion"].startswith("v1.")
    assert told["serverVersion"]["minor"] == told["serverVersion"]["gitVersion"].split(".")[1]


def test_a_deployment_becomes_ready(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=workload("Deployment", "web"))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", SOON)
    assert cluster.kubectl("-n", namespace, "logs", "deployment/web").strip() == LOG_LINE


def test_a_job_completes(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=workload("Job", "once"))
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Complete", "job/once", SOON)


def test_a_failing_job_fails(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=workload("Job", "once", image="example.com/job:fails"))
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Failed", "job/once", SOON)
    assert cluster.kubectl("-n", namespace, "logs", "job/once").strip() == LOG_LINE


@pytest.mark.parametrize(
    ("tag", "reason", "event"),
    [
        pytest.param("pull-fails", "ImagePullBackOff", "Failed to pull image", id="pull fails"),
        pytest.param("crash-loops", "CrashLoopBackOff", "Back-off restarting", id="crash loop"),
    ],
)
def test_a_container_waits(cluster: Cluster, namespace: str, tag: str, reason: str, event: str) -> None:
    deployment = workload("Deployment", "web", image=f"127.0.0.1:5000/web:{tag}")
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=deployment)
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    cluster.kubectl("-n", namespace, "wait", "--for=create", "pod", "-l", "app=web", SOON)
    cluster.kubectl("-n", namespace, "wait", f"--for={waiting}={reason}", "pod", "-l", "app=web", SOON)
    cluster.kubectl("-n", namespace, "wait", "--for=create", "event", "--field-selector=type=Warning", SOON)
    assert event in cluster.kubectl("-n", namespace, "events", "--types=Warning")


def test_a_pod_that_is_never_ready_runs(cluster: Cluster, namespace: str) -> None:
    deployment = workload("Deployment", "web", image="example.com/web:never-ready")
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=deployment)
    cluster.kubectl("-n", namespace, "wait", "--for=create", "pod", "-l", "app=web", SOON)
    cluster.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "app=web", SOON)
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready=false", "pod", "-l", "app=web", SOON)


def test_too_large_a_pod_is_unschedulable(cluster: Cluster, namespace: str) -> None:
    deployment = workload("Deployment", "web", resources={"requests": {"cpu": "100"}})
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=deployment)
    cluster.kubectl("-n", namespace, "wait", "--for=create", "pod", "-l", "app=web", SOON)
    cluster.kubectl("-n", namespace, "wait", "--for=condition=PodScheduled=false", "pod", "-l", "app=web", SOON)
    reason = "jsonpath={.items[0].status.conditions[0].reason}"
    assert cluster.kubectl("-n", namespace, "get", "pods", "-o", reason) == "Unschedulable"


def test_namespaces_go_with_what_is_in_them(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=workload("Deployment", "web"))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", SOON)
    cluster.kubectl("delete", "namespace", namespace, SOON)


def test_rights_are_granted_by_name(cluster: Cluster, namespace: str) -> None:
    login = ["--kubeconfig", str(cluster.login("visitor")), "-n", namespace]
    with pytest.raises(subprocess.CalledProcessError, match='User "visitor" cannot list resource "pods"'):
        cluster.kubectl(*login, "get", "pods")
    cluster.kubectl("-n", namespace, "create", "rolebinding", "see", "--clusterrole=view", "--user=visitor")
    assert cluster.kubectl(*login, "get", "pods", "--ignore-not-found") == ""


def test_state_outlives_the_api_server(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "kept", "--from-literal=key=value")
    cluster.stop_apiserver()
    try:
        with pytest.raises(subprocess.CalledProcessError, match="refused"):
            cluster.kubectl("get", "--raw", "/readyz")
    finally:
        cluster.start_apiserver()
    assert cluster.kubectl("-n", namespace, "get", "configmap", "kept", "-o", "jsonpath={.data.key}") == "value"
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=workload("Deployment", "after"))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/after", SOON)


def test_helm_installs_and_upgrades(helm: Helm) -> None:
    namespace = helm.cluster.new_namespace("helm")
    install = ["upgrade", "--install", "web", str(CHARTS / "web"), "-n", namespace, "--create-namespace", "--wait"]
    helm.run(*install, SOON)
    helm.run(*install, SOON, "--set", "replicas=3")
    (release,) = json.loads(helm.run("list", "-n", namespace, "-o", "json"))
    assert (release["name"], release["revision"], release["status"]) == ("web", "2", "deployed")
    ready = ["get", "deployment/web", "-o", "jsonpath={.status.readyReplicas}"]
    assert helm.cluster.kubectl("-n", namespace, *ready) == "3"
    assert helm.run("version", "--template", "{{.Version}}").startswith(f"v{helm.major}.")


def test_helm_runs_the_hook_first(helm: Helm) -> None:
    namespace = helm.cluster.new_namespace("hook")
    helm.run("install", "web", str(CHARTS / "hook"), "-n", namespace, "--create-namespace", "--wait", SOON)
    done = ["get", "job/web-migrate", "-o", "jsonpath={.status.succeeded}"]
    assert helm.cluster.kubectl("-n", namespace, *done) == "1"


def test_helm_keeps_what_lookup_finds(helm: Helm) -> None:
    namespace = helm.cluster.new_namespace("generated")
    password = ["-n", namespace, "get", "secret/web-password", "-o", "jsonpath={.data.password}"]
    seen = set()
    for _ in range(2):
        chart = str(CHARTS / "generated")
        helm.run("upgrade", "--install", "web", chart, "-n", namespace, "--create-namespace", "--wait", SOON)
        seen.add(helm.cluster.kubectl(*password))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("chart", "wrong"),
    [
        pytest.param("broken-hook", "failed", id="hook fails"),
        pytest.param("unpullable", "not ready|deadline|timed out", id="image is nowhere"),
    ],
)
def test_helm_fails_on_a_broken_chart(helm: Helm, chart: str, wrong: str) -> None:
    namespace = helm.cluster.new_namespace(chart)
    place = str(CHARTS / chart)
    with pytest.raises(subprocess.CalledProcessError, match=f"(?i){wrong}"):
        helm.run("install", "web", place, "-n", namespace, "--create-namespace", "--wait", "--timeout=5s")
    status = json.loads(helm.run("status", "web", "-n", namespace, "-o", "json"))
    assert status["info"]["status"] == "failed"


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(PartError, match="etcd is not in KUBEBUILDER_ASSETS"):
        asset("etcd")
    monkeypatch.delenv("KUBEBUILDER_ASSETS")
    with pytest.raises(PartError, match="KUBEBUILDER_ASSETS is not set"):
        asset("etcd")
