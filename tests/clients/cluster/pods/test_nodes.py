"""Which nodes are looked at, and how often."""

from typing import Any

import pytest

from bundle.errors import ClusterError
from clients.cluster.pods.nodes import Nodes
from tests.fixtures.made.objects import pod, thing, up
from tests.fixtures.made.scenes import Clock


class Machines:
    """Nodes by name; None for one that may not be looked at."""

    def __init__(self, **nodes: dict[str, Any] | None) -> None:
        self.nodes = nodes
        self.asked: list[str] = []

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        self.asked.append(name)
        if (node := self.nodes[name]) is None:
            raise ClusterError("the account 'me' may not get nodes", reason="forbidden")
        return node


def on(node: str, made: dict[str, Any]) -> dict[str, Any]:
    return {**made, "spec": {**made["spec"], "nodeName": node}}


def test_only_nodes_of_pods_that_wait_and_not_at_every_look() -> None:
    clock = Clock()
    machines = Machines(a=thing("Node", "a"), b=None)
    nodes = Nodes(machines, clock)
    objects = [
        on("a", pod("web-1")),
        on("b", pod("web-2")),
        on("c", up("web-3")),
        on("d", pod("done", phase="Succeeded")),
    ]
    seen = []
    for clock.at in range(0, 46, 3):
        seen.append([each["metadata"]["name"] for each in nodes.of(objects)])
    assert seen == [[]] * 5 + [["a"]] * 11
    assert machines.asked == ["a", "b"] * 3


@pytest.mark.parametrize("count", [3, 500])
def test_a_large_cluster_is_asked_for_three(count: int) -> None:
    clock = Clock()
    machines = Machines(**{f"n{each}": thing("Node", f"n{each}") for each in range(count)})
    nodes = Nodes(machines, clock)
    objects = [on(f"n{each}", pod(f"web-{each}")) for each in range(count)]
    nodes.of(objects)
    clock.at = 20
    assert len(nodes.of(objects)) == len(machines.asked) == 3
