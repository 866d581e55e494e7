"""The objects of a release among all in its namespace."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clients.cluster._trouble import Event

KINDS = "deployments.apps,statefulsets.apps,daemonsets.apps,replicasets.apps,jobs.batch,pods,persistentvolumeclaims"
_RELEASE = "meta.helm.sh/release-name"  # helm's own mark on all it makes, hooks aside
_HOOK = "helm.sh/hook"
_INSTANCE = "app.kubernetes.io/instance"  # the convention of charts, for what controllers make

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a namespace held at one moment: objects by uid, and its warnings, oldest first."""

    objects: Mapping[str, Object]
    events: tuple[Event, ...]

    @classmethod
    def of(cls, objects: Iterable[Object], events: Iterable[Event]) -> "Snapshot":
        """From what was listed."""
        ordered = tuple(sorted(events, key=lambda event: event.last))
        return cls(objects={each["metadata"]["uid"]: each for each in objects}, events=ordered)

    def members(self, release: str, *, before: "Snapshot | None" = None) -> Iterator[Object]:
        """The release's objects, its hooks' among them.

        With `before`, pods and hooks that were there then are left out: they belong to an older revision, and their
        troubles are what this upgrade may cure.
        """
        old = before.objects if before else {}
        for uid, each in self.objects.items():
            root = self._root(each)
            if is_hook(root):
                # A hook of this run is new, and nothing says that it is another release's.
                if root["metadata"]["uid"] not in old and _instance(root) in ("", release):
                    yield each
            elif belongs(root, release) and (each["kind"] != "Pod" or uid not in old):
                yield each

    def about(self, kind: str, name: str) -> tuple[Event, ...]:
        """The warnings about an object."""
        return tuple(event for event in self.events if (event.kind, event.name) == (kind, name))

    def _root(self, each: Object) -> Object:
        """The outermost owner that is there."""
        seen = {each["metadata"]["uid"]}
        while owner := next((self.objects[uid] for uid in _owners(each) if uid in self.objects), None):
            if owner["metadata"]["uid"] in seen:
                break
            seen.add(owner["metadata"]["uid"])
            each = owner
        return each


def belongs(root: Object, release: str) -> bool:
    """Whether an object that nobody owns is of the release."""
    return ((root["metadata"].get("annotations") or {}).get(_RELEASE) or _instance(root)) == release


def is_hook(root: Object) -> bool:
    """Whether helm made the object as a hook; it does not mark whose."""
    return _HOOK in (root["metadata"].get("annotations") or {})


def _instance(root: Object) -> str:
    return str((root["metadata"].get("labels") or {}).get(_INSTANCE) or "")


def _owners(each: Object) -> Iterator[str]:
    for owner in each["metadata"].get("ownerReferences") or ():
        if owner.get("controller", True):
            yield owner["uid"]
