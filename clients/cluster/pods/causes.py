"""Reads from a release's objects (core/v1, apps/v1, batch/v1) why it does not come up; asks nobody."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clients.cluster.pods.containers import container_troubles, has_begun, missing_object, statuses
from clients.cluster.pods.trouble import Event, Patience, Trouble, plain
from clients.cluster.pods.workloads import NamespaceState, Object, conditions, is_hook, is_scheduled, is_true

_REFUSING = re.compile(r"exceeded quota|failed quota|denied the request|violates PodSecurity|is forbidden: ")
_MAKERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job"})
_BEGUN = frozenset({"Pulling", "Pulled", "Created", "Started"})  # events of what comes after mounts and network
_BEFORE_START = {
    "FailedMount": "check the volume that it names: kubectl describe pod shows what the node says",
    "FailedAttachVolume": "check that nothing else holds the volume; the storage's own pods say why it is not attached",
    "FailedCreatePodSandBox": "check the node's container runtime and its network plugin",
    "NetworkNotReady": "check the network plugin of the node",
}


def causes(snapshot: NamespaceState, members: Iterable[Object], patience: Patience) -> list[Trouble]:
    """All troubles of these objects: causes before what follows from them, faults before what only waits."""
    kept = list(members)
    found = [trouble for each in kept for trouble in _of(each, snapshot, patience)]
    found = [_beside(trouble, kept, found, patience) for trouble in found]
    return sorted(found, key=lambda each: (each.waits, each.rests, _ORDER.index(each.kind), each.patience))


# A volume keeps a pod from being scheduled, a pod makes a job fail.
_ORDER = ("persistentvolumeclaim", "replicaset", "statefulset", "daemonset", "pod", "job")


def waited_for(pod: Object) -> str:
    """What a pod that has no trouble is at, in a few words; empty when it is ready or has ended."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if is_true(pod, "Ready") or status.get("phase") in ("Succeeded", "Failed"):
        return ""
    if not pod["spec"].get("nodeName"):
        return f"pod {name}: no node is chosen for it yet"
    if not statuses(pod):
        return f"pod {name}: node {pod['spec']['nodeName']} has not begun with it yet"
    waiting = [each for each in statuses(pod) if (each.get("state") or {}).get("waiting")]
    if not waiting or has_begun(pod):
        return f"pod {name}: not ready yet"
    if is_true(pod, "PodReadyToStartContainers"):
        return f"pod {name}: image {waiting[0].get('image')} is being pulled"
    return f"pod {name}: its volumes are being mounted and image {waiting[0].get('image')} pulled"


def _beside(trouble: Trouble, members: Sequence[Object], found: Sequence[Trouble], patience: Patience) -> Trouble:
    """A crash loop's patience by what else comes up: a container may end because it waits for another pod.

    For one that has not begun (a large image, a volume) without any limit but the release's own.
    """
    if trouble.cause != "crash" or trouble.patience == math.inf:
        return trouble
    troubled = {each.uid for each in found if not each.waits}
    others = [
        pod
        for pod in members
        if pod["kind"] == "Pod" and not pod["metadata"].get("deletionTimestamp")
        if pod["metadata"]["uid"] not in troubled and waited_for(pod)
    ]
    if any(not has_begun(pod) for pod in others):
        return replace(trouble, patience=math.inf)
    return replace(trouble, patience=max(trouble.patience, patience.crash_loop_beside)) if others else trouble


def _of(each: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    kind = each["kind"]
    if kind == "Pod" and not each["metadata"].get("deletionTimestamp"):
        yield from _pod(each, snapshot, patience)
    elif kind == "PersistentVolumeClaim":
        yield from _volume(each, snapshot, patience)
    if kind == "Job":
        yield from _job(each)
    if kind in _MAKERS:
        yield from _refused(each, snapshot, patience)


def _pod(pod: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    status, owner, events = pod.get("status") or {}, snapshot.owner(pod), snapshot.about(pod)
    node = snapshot.node(pod)
    if node and not is_true(node, "Ready") and not is_true(pod, "Ready"):
        yield _away(pod, node, patience)
        return
    scheduled = conditions(pod).get("PodScheduled") or {}
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        may_fit = snapshot.is_ending or any(each.reason == "TriggeredScaleUp" for each in events)
        yield _trouble(
            pod,
            "scheduling",
            "Unschedulable",
            message=plain(scheduled.get("message")),
            hint="free or add what the nodes are missing (kubectl get nodes tells their state), or lower what the pod "
            "asks for in the values",
            seconds=math.inf if may_fit else patience.unschedulable,
        )
    if status.get("phase") == "Failed" and status.get("reason"):
        yield _trouble(
            pod,
            "failed",
            status["reason"],
            message=plain(status.get("message")) or "the node ended it",
            hint="kubectl describe node shows what the node is missing; free it, or lower what the pods use",
            seconds=math.inf,
        )
    job = owner if owner and owner["kind"] == "Job" else None
    if not (job and is_scheduled(job)):
        yield from container_troubles(pod, events, patience, in_job=job is not None)
    if status.get("phase") == "Pending" and not has_begun(pod) and not is_true(pod, "PodReadyToStartContainers"):
        yield from _not_begun(pod, events, snapshot, patience)


def _away(pod: Object, node: Object, patience: Patience) -> Trouble:
    """Whatever else the pod says is of the time when its node was there."""
    name, said = node["metadata"]["name"], plain((conditions(node).get("Ready") or {}).get("message"))
    return _trouble(
        pod,
        "node",
        "NodeNotReady",
        message=f"its node {name} is not ready: {said or 'it has not said anything yet'}",
        hint=f"kubectl describe node {name} says why; its kubelet and runtime must run and reach the API server",
        seconds=patience.unready_node,
    )


def _not_begun(pod: Object, events: Sequence[Event], snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    """What kubelet tries again before any container starts: an event of the past, unless it comes again."""
    gone_on = max((each.last for each in events if each.reason in _BEGUN), default="")
    for event in reversed(events):
        if event.reason in _BEFORE_START and event not in snapshot.healed and event.last > gone_on:
            awaits = missing_object(event.message) if event.reason == "FailedMount" else None
            hint = "make the secret, config map or volume that it names" if awaits else _BEFORE_START[event.reason]
            seconds = patience.failed_mount if awaits else math.inf
            trouble = _trouble(pod, "mount", event.reason, message=event.message, hint=hint, seconds=seconds)
            yield replace(trouble, awaits=awaits)
            return


def _job(job: Object) -> Iterator[Trouble]:
    for condition in (conditions(job).get("Failed"), conditions(job).get("FailureTarget")):
        if condition and condition.get("status") == "True" and not is_scheduled(job):
            what = "hook failed" if is_hook(job) else "failed"
            yield _trouble(
                job,
                "job",
                condition.get("reason") or "Failed",
                message=f"{what}: {plain(condition.get('message'))}",
                hint="read its last log lines, correct what it asks for, and run the install again",
                seconds=0.0,
            )
            return


def _volume(claim: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    if (claim.get("status") or {}).get("phase") != "Pending":
        return
    events = snapshot.about(claim)
    # That a provisioner is waited for is said again and again, what it answered only sometimes.
    for reason in ("FailedBinding", "ProvisioningFailed", "ExternalProvisioning"):
        for event in [each for each in events if each.reason == reason][-1:]:
            wanted = (claim.get("spec") or {}).get("storageClassName")
            asked = f"storage class {wanted!r}" if wanted else "the default storage class"
            # A class that is there may provide the volume at the next try.
            nobody = event.reason == "FailedBinding" or "storageclass" in event.message
            yield _trouble(
                claim,
                "volume",
                event.reason,
                message=f"asks for {asked}: {event.message}",
                hint="name a storage class that is there (kubectl get storageclass) in the values"
                if nobody
                else f"look at what provides volumes of {asked}: kubectl get storageclass, and the log of its pods",
                seconds=patience.unbound_volume if nobody else math.inf,
            )
            return


def _refused(maker: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    """Pods that the API does not let a controller make: quotas, admission policies, service accounts."""
    if _has_its_pods(maker):
        return
    said = [event.message for event in snapshot.about(maker) if event.reason == "FailedCreate"]
    if is_true(maker, "ReplicaFailure"):
        said.append(plain(conditions(maker)["ReplicaFailure"].get("message")))
    refusals = [message for message in said if _REFUSING.search(message)]
    if refusals:
        may_fit = snapshot.is_ending and "quota" in refusals[-1]
        yield _trouble(
            maker,
            "refused",
            "FailedCreate",
            message=f"its pods are refused: {refusals[-1]}",
            hint=_refusal_hint(refusals[-1]),
            seconds=math.inf if may_fit else patience.refused_pods,
        )


def _refusal_hint(message: str) -> str:
    if "quota" in message:
        return "raise the quota, or free some of it: kubectl describe quota"
    if "service account" in message:
        return "make the service account that it names, or correct its name in the values"
    return "make the pods what the policy asks for (mostly securityContext in the values); the message names it"


def _has_its_pods(maker: Object) -> bool:
    """Whether a controller has made all that it should, by now."""
    wanted: Mapping[str, Any] = maker.get("spec") or {}
    status = maker.get("status") or {}
    if maker["kind"] == "Job":
        return bool(status.get("active") or status.get("succeeded"))
    if maker["kind"] == "DaemonSet":
        return bool(status.get("currentNumberScheduled", 0) >= status.get("desiredNumberScheduled", 0))
    return bool(status.get("replicas", 0) >= wanted.get("replicas", 1))


def _trouble(each: Object, cause: str, reason: str, *, message: str, hint: str, seconds: float) -> Trouble:
    return Trouble(
        kind=each["kind"].lower(),
        name=each["metadata"]["name"],
        uid=each["metadata"]["uid"],
        cause=cause,
        reason=reason,
        message=message,
        hint=hint,
        patience=seconds,
    )
