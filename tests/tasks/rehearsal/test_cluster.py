"""The cluster of a rehearsal: which one it is, and which containers ran in it."""

from pathlib import Path
from typing import Any, cast

import pytest

from clients.cluster.kubectl import Kubectl
from tasks.rehearsal.cluster import NO_CLUSTER, TargetCluster, target_cluster
from tasks.rehearsal.result import Scene


class FakeKubectl:
    """Knows the pods of one namespace."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        assert (kind, selector) == ("pod", "")
        return list(self.pods) if namespace == "shop" else []


def pod(name: str, *, init: dict[str, Any] | None = None, **states: dict[str, Any]) -> dict[str, Any]:
    status: dict[str, Any] = {"containerStatuses": [{"name": key, **value} for key, value in states.items()]}
    status |= {"initContainerStatuses": [{"name": "init", **init}]} if init else {}
    return {"metadata": {"name": name, "generateName": "web-5f7-"}, "status": status}


RUNS = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
WAITS = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
NEVER = {"state": {"terminated": {"exitCode": 128, "reason": "StartError"}}}
CRASHED = {**WAITS, "lastState": {"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:00:00Z"}}}


def cluster(*pods: dict[str, Any], simulated: str = "") -> TargetCluster:
    return TargetCluster(name="it", kubectl=cast(Kubectl, FakeKubectl(*pods)), simulated=simulated)


def test_containers_that_started_ran_each_named_once() -> None:
    two = (pod("web-5f7-a", init=CRASHED, main=RUNS, side=WAITS), pod("web-5f7-b", main=RUNS, other=NEVER))
    assert cluster(*two).ran({"shop", "empty"}) == ("web-5f7/init", "web-5f7/main")


def test_simulated_nodes_ran_nothing() -> None:
    assert cluster(pod("web-5f7-a", main=RUNS), simulated="only root can").ran({"shop"}) == ()
    assert NO_CLUSTER.ran({"shop"}) == ()
    assert not NO_CLUSTER.pods_run
    assert str(cluster(simulated="only root can")) == "it: only root can"


@pytest.mark.parametrize("named", [True, False])
def test_a_named_one_or_none(tmp_path: Path, named: bool) -> None:
    scene = Scene(
        place=tmp_path, carried=tmp_path, program=tmp_path, directory=tmp_path, cache=tmp_path, site=None, trust=None,
        assets=None, kubeconfig=tmp_path / "config" if named else None, marks=tmp_path, use=(), jobs=1,
    )  # fmt: skip
    with target_cluster(scene, cast(Any, None), wanted=True) as found:
        assert found.kubeconfig == scene.kubeconfig
        assert not found.pods_run
        assert str(found) == (f"the cluster of {tmp_path}/config" if named else "no cluster")
