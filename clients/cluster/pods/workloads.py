"""The objects of a release among all in its namespace, and which of them are ready."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.cluster.pods.trouble import Event

WORKLOADS = "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch"
KINDS = "deployments.apps,statefulsets.apps,daemonsets.apps,replicasets.apps,jobs.batch,pods,persistentvolumeclaims"
_STANDING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_RELEASE = "meta.helm.sh/release-name"  # helm's own mark on all it makes, hooks aside
_HOOK = "helm.sh/hook"
_INSTANCE = "app.kubernetes.io/instance"  # the convention of charts, for what controllers make

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceState:
    """What a namespace held at one moment: objects by uid, and its events, oldest first.

    `healed` are those events that would have come again by now if what they tell of still were so.
    """

    objects: Mapping[str, Object]
    events: tuple[Event, ...]
    healed: frozenset[Event] = field(default_factory=frozenset)

    @classmethod
    def of(cls, objects: Iterable[Object], events: Iterable[Event], healed: Iterable[Event] = ()) -> "NamespaceState":
        """From what was listed."""
        ordered = tuple(sorted(events, key=lambda event: event.last))
        return cls(
            objects={each["metadata"]["uid"]: each for each in objects}, events=ordered, healed=frozenset(healed)
        )

    def members(self, release: str, *, before: "NamespaceState | None" = None) -> Iterator[Object]:
        """The release's objects, its hooks' among them.

        With `before`, pods and hooks that were there then are left out: they belong to an older revision, and their
        troubles are what this upgrade may cure.
        """
        old = before.objects if before else {}
        for uid, each in self.objects.items():
            root = self.root(each)
            if is_hook(root):
                # A hook of this run is new, and nothing says that it is another release's.
                if root["metadata"]["uid"] not in old and instance(root) in ("", release):
                    yield each
            elif belongs(root, release) and (each["kind"] != "Pod" or uid not in old):
                yield each

    def hooks(self) -> "NamespaceState":
        """Only the hooks, with all that they made, and all events."""
        return NamespaceState.of((each for each in self.objects.values() if is_hook(self.root(each))), self.events)

    def standing(self, release: str) -> Iterator[Object]:
        """The release's pods that are to be up all the time: none of jobs and hooks, none that end or have ended."""
        for each in self.objects.values():
            if each["kind"] != "Pod" or each["metadata"].get("deletionTimestamp"):
                continue
            root = self.root(each)
            task = (each.get("spec") or {}).get("restartPolicy") == "Never"
            kept = root["kind"] in (*_STANDING, "ReplicaSet") or (root is each and not task)
            ended = (each.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            if kept and not ended and not is_hook(root) and belongs(root, release):
                yield each

    def stuck(self, release: str) -> Iterator[Object]:
        """The release's pods that their StatefulSet would replace, and never does: it waits until each is ready first.

        Of an older revision than the one it is at, and with no container that runs (kubernetes.io, "Forced rollback").
        """
        for each in self.standing(release):
            owner = self.owner(each)
            if owner and owner["kind"] == "StatefulSet" and _is_ordered(owner) and not _is_up(each):
                revision = (each["metadata"].get("labels") or {}).get("controller-revision-hash")
                if revision and revision != (owner.get("status") or {}).get("updateRevision", revision):
                    yield each

    def lacking(self, release: str) -> tuple[str, ...]:
        """What of the release's workloads is not ready, one line for each; hooks and scheduled jobs don't count."""
        found = (each for each in self.objects.values() if each["kind"] in (*_STANDING, "Job"))
        ours = (each for each in found if belongs(each, release) and not is_hook(each) and not is_scheduled(each))
        return tuple(lack for each in ours if (lack := unready(each)))

    def node(self, pod: Object) -> Object | None:
        """The node that a pod was given to; None when it was not looked at."""
        name = (pod.get("spec") or {}).get("nodeName")
        nodes = (each for each in self.objects.values() if each["kind"] == "Node")
        return next((each for each in nodes if each["metadata"]["name"] == name), None)

    def about(self, each: Object) -> tuple[Event, ...]:
        """The events about an object, and not those about an earlier one of its name."""
        uid, name, made = each["metadata"]["uid"], each["metadata"]["name"], each["metadata"].get("creationTimestamp")
        return tuple(
            event
            for event in self.events
            if (event.kind, event.name) == (each["kind"], name)
            and (event.uid == uid if event.uid else event.last >= str(made or ""))
        )

    @property
    def is_ending(self) -> bool:
        """Whether a pod is on its way out: what it holds will be free."""
        return any(
            each["kind"] == "Pod" and each["metadata"].get("deletionTimestamp") for each in self.objects.values()
        )

    def owner(self, each: Object) -> Object | None:
        """The controller of an object, when it is there."""
        return next((self.objects[uid] for uid in _owners(each) if uid in self.objects), None)

    def root(self, each: Object) -> Object:
        """The outermost owner that is there."""
        seen = {each["metadata"]["uid"]}
        while owner := self.owner(each):
            if owner["metadata"]["uid"] in seen:
                break
            seen.add(owner["metadata"]["uid"])
            each = owner
        return each


def belongs(root: Object, release: str) -> bool:
    """Whether an object that nobody owns is of the release."""
    return ((root["metadata"].get("annotations") or {}).get(_RELEASE) or instance(root)) == release


def is_hook(root: Object) -> bool:
    """Whether helm made the object as a hook; it does not mark whose."""
    return _HOOK in (root["metadata"].get("annotations") or {})


def is_scheduled(job: Object) -> bool:
    """Whether a CronJob makes such a job again and again: nobody waits for it."""
    return any(owner.get("kind") == "CronJob" for owner in job["metadata"].get("ownerReferences") or ())


def instance(root: Object) -> str:
    """Which release an object says that it is of, by label."""
    return str((root["metadata"].get("labels") or {}).get(_INSTANCE) or "")


def _owners(each: Object) -> Iterator[str]:
    for owner in each["metadata"].get("ownerReferences") or ():
        if owner.get("controller", True):
            yield owner["uid"]


def conditions(each: Object) -> Mapping[str, Object]:
    """The conditions of an object that are true or false, by type."""
    return {found["type"]: found for found in (each.get("status") or {}).get("conditions") or () if found.get("type")}


def is_true(each: Object, condition: str) -> bool:
    """Whether a condition of an object holds."""
    return conditions(each).get(condition, {}).get("status") == "True"


def has_ended(job: Object) -> bool:
    """Whether a job is through, well or not."""
    return any(is_true(job, each) for each in ("Complete", "SuccessCriteriaMet", "Failed", "FailureTarget"))


def unready(workload: Object) -> str:
    """What a workload still lacks, for example "deployment web: 1 of 2 replicas ready"; empty when it is ready."""
    kind = workload["kind"]
    lack = _job(workload) if kind == "Job" else _controller(workload)
    return f"{kind.lower()} {workload['metadata']['name']}: {lack}" if lack else ""


def _job(job: Object) -> str:
    if (job.get("spec") or {}).get("suspend") or is_true(job, "Complete") or is_true(job, "SuccessCriteriaMet"):
        return ""
    if is_true(job, "Failed"):
        failed = conditions(job)["Failed"]
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


def _is_ordered(workload: Object) -> bool:
    """Whether a StatefulSet brings up its pods one after another, and has taken up its last change."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    return seen and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady" and _updates_all(workload)


def _is_up(pod: Object) -> bool:
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    begun = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return is_true(pod, "Ready") or any("running" in (each.get("state") or {}) for each in (*found, *begun))


def _updates_all(workload: Object) -> bool:
    """Whether the controller itself brings all pods to the newest revision."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return strategy.get("type") != "OnDelete" and not partition
