"""What a cluster lacks, found in its own answers."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bundle.errors import ClusterError, ClusterReason
from bundle.formats.versions import Version
from bundle.oci.platform import Platform
from clients.cluster.kubectl import JsonObject, Right, Versions
from clients.preflight.cluster import cluster
from clients.preflight.needs import ApiKind, ClusterNeeds

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64/v8")
DEPLOYMENT = ApiKind(api_version="apps/v1", kind="Deployment")
ROLE = ApiKind(api_version="rbac.authorization.k8s.io/v1", kind="ClusterRole")
POD = ApiKind(api_version="v1", kind="Pod")
DATABASE = ApiKind(api_version="db.example.com/v1", kind="Database")
PLAIN = ClusterNeeds(min_version="1.24")

RESOURCES: dict[str, list[tuple[str, str, bool]]] = {
    "/apis/apps/v1": [("deployments", "Deployment", True), ("deployments/scale", "Scale", True)],
    "/apis/rbac.authorization.k8s.io/v1": [("clusterroles", "ClusterRole", False)],
    "/api/v1": [("pods", "Pod", True), ("pods/log", "Pod", True)],
}


def node(architecture: str = "amd64", *, ready: str = "True") -> JsonObject:
    info = {"operatingSystem": "linux", "architecture": architecture}
    return {"status": {"nodeInfo": info, "conditions": [{"type": "Ready", "status": ready}]}}


@dataclass(slots=True, kw_only=True)
class FakeCluster:
    """A cluster in memory; `broken` has the reasons by what is asked for."""

    server: str = "v1.31.2+k3s1"
    objects: dict[str, list[JsonObject]] = field(default_factory=lambda: {"nodes": [node()]})
    paths: dict[str, JsonObject] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    broken: dict[str, ClusterReason] = field(default_factory=dict)
    asked: list[Right] = field(default_factory=list)

    def version(self) -> Versions:
        if "version" in self.broken:
            raise ClusterError("the cluster: no answer", reason=self.broken["version"], hint="mend it")
        return Versions(client=Version.parse("1.31"), server=Version.parse(self.server))

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[JsonObject]:
        self._fail(kind)
        return self.objects.get(kind, [])

    def raw(self, path: str) -> JsonObject:
        self._fail(path)
        if path in RESOURCES:
            named = ("name", "kind", "namespaced")
            return {"resources": [dict(zip(named, each, strict=True)) for each in RESOURCES[path]]}
        if path not in self.paths:
            raise ClusterError(f"the cluster's {path}: not found", reason="not found")
        return self.paths[path]

    def can_i(self, rights: Iterable[Right]) -> tuple[Right, ...]:
        self._fail("can_i")
        self.asked += rights
        return tuple(right for right in self.asked if str(right) in self.lacking)

    def _fail(self, what: str) -> None:
        if what in self.broken:
            raise ClusterError(f"{what}: no", reason=self.broken[what], hint="mend it")


def told(fake: FakeCluster, needs: ClusterNeeds) -> list[str]:
    """The first line of each finding."""
    found = cluster(fake, needs)
    assert all(each.hint and each.subject == "cluster" for each in found)
    return [str(each).splitlines()[0].replace(": cluster:", ":") for each in found]


def test_a_cluster_with_everything() -> None:
    classes = {kind: [{"metadata": {"name": name}}] for kind, name in _CLASSES.items()}
    fake = FakeCluster(objects={"nodes": [node()], **classes}, paths={"/api/v1/namespaces/pro": {}})
    needs = ClusterNeeds(
        min_version="1.24",
        namespaces=["pro"],
        kinds={"pro": [DEPLOYMENT, ROLE]},
        platforms={"api": [AMD64, ARM64]},
        ingress_class="nginx",
        storage_class="fast",
    )
    assert told(fake, needs) == []
    assert len(fake.asked) == len(set(fake.asked))


_CLASSES = {"ingressclasses.networking.k8s.io": "nginx", "storageclasses.storage.k8s.io": "fast"}


def test_a_cluster_that_is_not_reached_is_told_once() -> None:
    assert told(FakeCluster(broken={"version": "unreachable"}), PLAIN) == ["error: no answer"]


@pytest.mark.parametrize(
    ("server", "minimum", "lines"),
    [
        pytest.param("v1.24.0", "1.24", [], id="same"),
        pytest.param("v1.9.3", "1.24", ["error: Kubernetes is too old: expected 1.24 or later, found 1.9.3"], id="old"),
        pytest.param(
            "v1.28.3-gke.1", "1.28.4", ["error: Kubernetes is too old: expected 1.28.4 or later, found 1.28.3-gke.1"],
            id="old-patch",
        ),
    ],
)  # fmt: skip
def test_versions(server: str, minimum: str, lines: list[str]) -> None:
    assert told(FakeCluster(server=server), ClusterNeeds(min_version=minimum)) == lines


@pytest.mark.parametrize(
    ("nodes", "platforms", "lines"),
    [
        pytest.param([node("arm64")], {"api": [ARM64]}, [], id="variants-are-left-out"),
        pytest.param([node("amd64"), node("arm64")], {"api": [AMD64, ARM64]}, [], id="index-for-all"),
        pytest.param(
            [node("arm64")],
            {"web": [AMD64], "api": [AMD64], "db": [ARM64]},
            ["error: no node can run images api, web: expected linux/amd64, found linux/arm64"],
            id="no-node",
        ),
        pytest.param(
            [node("amd64"), node("arm64")],
            {"api": [AMD64]},
            ["warning: some nodes can't run image api: expected linux/amd64, found linux/amd64, linux/arm64"],
            id="some-nodes",
        ),
        pytest.param(
            [node("amd64", ready="Unknown"), node("arm64")],
            {"api": [AMD64]},
            ["error: no node can run image api: expected linux/amd64, found linux/arm64"],
            id="unready-nodes-do-not-count",
        ),
        pytest.param([node(ready="False")], {}, ["error: no node is ready"], id="none-ready"),
        pytest.param([], {}, ["error: no node is ready"], id="none"),
    ],
)
def test_nodes(nodes: list[JsonObject], platforms: dict[str, list[Platform]], lines: list[str]) -> None:
    fake = FakeCluster(objects={"nodes": nodes})
    assert told(fake, ClusterNeeds(min_version="1.24", platforms=platforms)) == lines


@pytest.mark.parametrize(
    ("names", "line"),
    [
        pytest.param([], "expected nginx, found none", id="none"),
        pytest.param(["traefik", "alb"], "expected nginx, found alb, traefik", id="others"),
    ],
)
def test_a_class_that_does_not_exist(names: list[str], line: str) -> None:
    classes = [{"metadata": {"name": name}} for name in names]
    fake = FakeCluster(objects={"nodes": [node()], "ingressclasses.networking.k8s.io": classes})
    needs = ClusterNeeds(min_version="1.24", ingress_class="nginx")
    assert told(fake, needs) == [f"error: ingress class 'nginx' does not exist: {line}"]


def test_a_storage_class_that_does_not_exist() -> None:
    needs = ClusterNeeds(min_version="1.24", storage_class="fast")
    assert told(FakeCluster(), needs) == ["error: storage class 'fast' does not exist: expected fast, found none"]


def test_what_may_not_be_seen_is_a_warning_and_what_fails_an_error() -> None:
    fake = FakeCluster(broken={"nodes": "forbidden", "storageclasses.storage.k8s.io": "unreachable"})
    needs = ClusterNeeds(min_version="1.24", storage_class="fast", platforms={"api": [AMD64]})
    assert told(fake, needs) == ["error: storageclasses.storage.k8s.io: no", "warning: not checked: nodes: no"]


def test_all_that_may_not_be_seen_is_one_warning_with_one_way_out() -> None:
    classes = ("ingressclasses.networking.k8s.io", "storageclasses.storage.k8s.io")
    fake = FakeCluster(broken=dict.fromkeys(("nodes", *classes), "forbidden"))
    needs = ClusterNeeds(min_version="1.24", ingress_class="nginx", storage_class="fast")
    (found,) = cluster(fake, needs)
    assert found.what == f"not checked: nodes: no; {classes[0]}: no; {classes[1]}: no"
    assert found.hint.startswith("doit roles prints")


NEEDS = ClusterNeeds(min_version="1.24", namespaces=["pro"], kinds={"pro": [DEPLOYMENT, ROLE, POD]})


def test_the_rights_that_are_asked_for() -> None:
    fake = FakeCluster()
    assert told(fake, NEEDS) == []
    asked = {str(right) for right in fake.asked}
    expected = {"create namespaces in all namespaces", "list pods in namespace 'pro'", "list events in namespace 'pro'"}
    expected |= {
        f"{verb} {resource}"
        for verb in ("create", "get", "patch", "delete")
        for resource in (
            "deployments.apps in namespace 'pro'",
            "clusterroles.rbac.authorization.k8s.io in all namespaces",
            "pods in namespace 'pro'",
            "secrets in namespace 'pro'",
        )
    }
    assert asked == expected | {"list secrets in namespace 'pro'", "update secrets in namespace 'pro'"}


@pytest.mark.parametrize("reason", ["", "forbidden"])
def test_a_namespace_that_is_there_need_not_be_created(reason: ClusterReason) -> None:
    path = "/api/v1/namespaces/pro"
    fake = FakeCluster(broken={path: reason}) if reason else FakeCluster(paths={path: {}})
    assert told(fake, NEEDS) == []
    assert not any(right.resource == "namespaces" for right in fake.asked)


@pytest.mark.parametrize(
    ("lacking", "line"),
    [
        pytest.param(
            ["create deployments.apps in namespace 'pro'", "patch deployments.apps in namespace 'pro'"],
            "error: the account may not create, patch deployments.apps in namespace 'pro'",
            id="namespaced",
        ),
        pytest.param(
            ["create clusterroles.rbac.authorization.k8s.io in all namespaces"],
            "error: the account may not create clusterroles.rbac.authorization.k8s.io in the whole cluster",
            id="cluster-wide",
        ),
        pytest.param(
            ["create namespaces in all namespaces"],
            "error: the account may not create namespaces in the whole cluster",
            id="namespace",
        ),
        pytest.param(
            ["list events in namespace 'pro'"],
            "warning: the account may not list events in namespace 'pro', so failures can't be explained",
            id="events",
        ),
        pytest.param(
            ["list secrets in namespace 'pro'"],
            "error: the account may not list secrets in namespace 'pro'",
            id="helms-records",
        ),
    ],
)
def test_rights_that_are_lacking(lacking: list[str], line: str) -> None:
    assert told(FakeCluster(lacking=set(lacking)), NEEDS) == [line]


def test_a_kind_that_the_cluster_does_not_know() -> None:
    needs = ClusterNeeds(
        min_version="1.24", kinds={"pro": [DATABASE, ApiKind(api_version="apps/v1", kind="Scale"), DEPLOYMENT]}
    )
    assert told(FakeCluster(), needs) == [
        "error: it knows no Scale (apps/v1), which a chart brings up in namespace 'pro'",
        "error: it knows no Database (db.example.com/v1), which a chart brings up in namespace 'pro'",
    ]


def test_what_was_found_before_a_failure_is_told() -> None:
    fake = FakeCluster(broken={"can_i": "unreachable"})
    needs = ClusterNeeds(min_version="1.24", kinds={"pro": [DATABASE]})
    assert len(told(fake, needs)) == 2


@pytest.mark.parametrize("path", ["/api/v1/namespaces/pro", "/apis/apps/v1", "/api/v1/namespaces/pro/secrets/pull"])
def test_an_answer_that_fails_is_an_error_and_not_a_no(path: str) -> None:
    needs = ClusterNeeds(
        min_version="1.24", kinds={"pro": [DEPLOYMENT]}, pull_secrets={"pro": ["pull"]}, image_host="registry.test"
    )
    fake = FakeCluster(broken={path: "unreachable"}, paths={"/api/v1/namespaces/pro/secrets/pull": LOGIN})
    assert told(fake, needs) == [f"error: {path}: no"]


def pull_secret(*hosts: str) -> JsonObject:
    content = json.dumps({"auths": {host: {"auth": "c2VjcmV0"} for host in hosts}})
    return {"data": {".dockerconfigjson": base64.b64encode(content.encode()).decode()}}


LOGIN = pull_secret("registry.test")
NO_LOGIN = "error: pull secret pro/pull has no login for the images' registry"


@pytest.mark.parametrize(
    ("secret", "lines"),
    [
        pytest.param(pull_secret("other.test", "registry.test:5000"), [], id="host"),
        pytest.param(pull_secret("https://registry.test:5000/v2/"), [], id="host-as-url"),
        pytest.param(
            pull_secret("registry.test"),
            [f"{NO_LOGIN}: expected registry.test:5000, found registry.test"],
            id="other-host",
        ),
        pytest.param(
            {"data": {".dockerconfigjson": "e30="}},
            [f"{NO_LOGIN}: expected registry.test:5000, found no logins"],
            id="none",
        ),
        pytest.param(
            {"data": {".dockercfg": "%"}},
            [f"{NO_LOGIN}: expected registry.test:5000, found no logins"],
            id="another-type",
        ),
        pytest.param(None, ["error: pull secret pro/pull does not exist"], id="absent"),
    ],
)
def test_pull_secrets(secret: dict[str, Any] | None, lines: list[str]) -> None:
    path = "/api/v1/namespaces/pro/secrets/pull"
    fake = FakeCluster(paths={path: secret} if secret else {})
    needs = ClusterNeeds(min_version="1.24", pull_secrets={"pro": ["pull"]}, image_host="registry.test:5000")
    found = told(fake, needs)
    assert found == lines
    assert "c2VjcmV0" not in str(found)
