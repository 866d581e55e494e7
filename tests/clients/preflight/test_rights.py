"""Which rights an install takes, and which namespaces it waits for; what is lacking of them: test_cluster.py."""

from typing import Any

from bundle.errors import ClusterError
from clients.preflight.needs import ApiKind, ClusterNeeds
from clients.preflight.rights import Rights

RESOURCES = {"/apis/apps/v1": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}
NEEDS = ClusterNeeds(
    min_version="1.24",
    namespaces=["new", "old", "theirs"],
    kinds={"old": [ApiKind(api_version="apps/v1", kind="Deployment"), ApiKind(api_version="x/v1", kind="Unknown")]},
)


class Answers:
    """A cluster with one namespace, another that may not be looked at, and one kind."""

    def raw(self, path: str) -> dict[str, Any]:
        if path == "/api/v1/namespaces/theirs":
            raise ClusterError(path, reason="forbidden")
        if path in RESOURCES:
            return {"resources": RESOURCES[path]}
        if path != "/api/v1/namespaces/old":
            raise ClusterError(path, reason="not found")
        return {}


def rights() -> Rights:
    target: Any = Answers()
    return Rights(target)


def test_the_rights_for_what_the_cluster_knows() -> None:
    wanted = [str(right) for right in rights().wanted(NEEDS)]
    assert wanted.count("create namespaces in all namespaces") == 1
    assert "delete deployments.apps in namespace 'old'" in wanted
    assert not any("nknown" in right for right in wanted)
    assert {f"update secrets in namespace {name!r}" for name in ("new", "old", "theirs")} < set(wanted)


def test_namespaces_that_are_not_known_to_be_there() -> None:
    assert rights().absent(NEEDS) == ["new", "theirs"]
    assert [rights().exists(name) for name in ("new", "old", "theirs")] == [False, True, None]
