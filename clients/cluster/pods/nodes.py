"""The nodes of pods that do not come up: a pod whose node is away tells nothing by itself."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from bundle.errors import ClusterError, ProgramError
from clients.cluster.pods.workloads import Object, is_true

_PAUSE = 15.0  # seconds before the first look at a node, and between two
_MOST = 3  # nodes looked at


class NodeView(Protocol):
    """A cluster whose nodes are looked at; Kubectl is one."""

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """One object; None when there is none."""


class Nodes:
    """Looks at nodes now and then. An account that may not look at them sees none."""

    def __init__(self, cluster: NodeView, now: Callable[[], float]) -> None:
        self._cluster = cluster
        self._now = now
        self._seen: dict[str, tuple[float, dict[str, Any] | None]] = {}

    def of(self, objects: Iterable[Object]) -> list[dict[str, Any]]:
        """The nodes that were given pods which are not ready; of many only some."""
        names = {(each.get("spec") or {}).get("nodeName") or "" for each in objects if _waits(each)} - {""}
        return [node for name in sorted(names)[:_MOST] if (node := self._look(name)) is not None]

    def _look(self, name: str) -> dict[str, Any] | None:
        at, node = self._seen.setdefault(name, (self._now(), None))
        if self._now() - at >= _PAUSE:
            node = None
            with suppress(ClusterError, ProgramError):
                node = self._cluster.get("node", name)
            self._seen[name] = self._now(), node
        return node


def _waits(each: Object) -> bool:
    ended = (each.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return each["kind"] == "Pod" and not ended and not is_true(each, "Ready")
