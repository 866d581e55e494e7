"""The objects of a release among all in its namespace."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clients.cluster.pods.trouble import Event

KINDS = "deployments.apps,statefulsets.apps,daemonsets.apps,replicasets.apps,jobs.batch,pods,persistentvolumeclaims"
_RELEASE = "meta.helm.sh/release-name"  # helm's own mark on all it makes, hooks aside
_HOOK = "helm.sh/hook"
_INSTANCE = "app.kubernetes.io/instance"  # the convention of charts, for what controllers make

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceState:
    """What a namespace held at one moment: objects by uid, and its warnings, oldest first."""

    objects: Mapping[str, Object]
    events: tuple[Event, ...]

    @classmethod
    def of(cls, objects: Iterable[Object], events: Iterable[Event]) -> "NamespaceState":
        """From what was listed."""
        ordered = tuple(sorted(events, key=lambda event: event.last))
        return cls(objects={each["metadata"]["uid"]: each for each in objects}, events=ordered)

    def members(self, release: str, *, before: "NamespaceState | None" = None) -> Iterator[Object]:
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


WORKLOADS = "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch"


def unready(workload: Object) -> str:
    """What a workload still lacks, for example "deployment web: 1 of 2 replicas ready"; empty when it is ready."""
    kind = workload["kind"]
    lack = _job(workload) if kind == "Job" else _controller(workload)
    return f"{kind.lower()} {workload['metadata']['name']}: {lack}" if lack else ""


def _job(job: Object) -> str:
    if (job.get("spec") or {}).get("suspend"):
        return ""
    done = {
        each["type"]: each for each in (job.get("status") or {}).get("conditions") or () if each["status"] == "True"
    }
    if "Complete" in done or "SuccessCriteriaMet" in done:
        return ""
    if failed := done.get("Failed"):
        return f"failed: {failed.get('reason', '')}: {failed.get('message', '')}"
    return "not complete yet"


def _controller(workload: Object) -> str:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return "its last change is not taken up yet"
    daemons = workload["kind"] == "DaemonSet"
    wanted = status.get("desiredNumberScheduled", 0) if daemons else spec.get("replicas", 1)
    updated = status.get("updatedNumberScheduled", 0) if daemons else status.get("updatedReplicas", 0)
    ready = status.get("numberReady", 0) if daemons else status.get("readyReplicas", 0)
    if updated < wanted and _updates_all(workload):
        return f"{updated} of {wanted} replicas updated"
    if ready < wanted:
        return f"{ready} of {wanted} replicas ready"
    if workload["kind"] == "Deployment" and status.get("replicas", 0) > wanted:
        return f"{status['replicas'] - wanted} old replicas still end"
    return ""


def _updates_all(workload: Object) -> bool:
    """Whether the controller itself brings all pods to the newest revision."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return strategy.get("type") != "OnDelete" and not partition
