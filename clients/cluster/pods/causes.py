"""Reads from a release's objects (core/v1, apps/v1, batch/v1) why it does not come up; asks nobody."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundle.errors import FormatError
from bundle.oci.reference import Reference
from clients.cluster.pods.trouble import Patience, Trouble
from clients.cluster.pods.workloads import NamespaceState, Object, is_hook

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_MAY_NOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
_REFUSING = re.compile(r"exceeded quota|failed quota|denied the request|violates PodSecurity|is forbidden: ")
_MAKERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job"})


def causes(snapshot: NamespaceState, members: Iterable[Object], patience: Patience) -> list[Trouble]:
    """All troubles of these objects, causes before what follows from them."""
    kept = list(members)
    found = [trouble for each in kept for trouble in _of(each, snapshot, patience)]
    return sorted(found, key=lambda trouble: (_ORDER.index(trouble.kind.lower()), trouble.patience))


# A volume keeps a pod from being scheduled, a pod makes a job fail.
_ORDER = ("persistentvolumeclaim", "replicaset", "statefulset", "daemonset", "pod", "job")


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
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status"), condition.get("reason")) == (
            "PodScheduled",
            "False",
            "Unschedulable",
        ):
            yield Trouble(
                kind="pod",
                name=name,
                reason="Unschedulable",
                message=_line(condition.get("message")),
                hint="free or add what the nodes lack, or lower what the pod asks for in the values",
                patience=patience.unschedulable,
            )
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container(name, container, snapshot, patience)
        yield from _ended(name, container)
    for event in snapshot.about("Pod", name):
        if event.reason == "FailedMount" and status.get("phase") == "Pending":
            yield Trouble(
                kind="pod",
                name=name,
                reason=event.reason,
                message=event.message,
                hint="make the secret, config map or volume that it names",
                patience=patience.failed_mount,
            )
            return


def _container(pod: str, status: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason, message, image = waiting.get("reason", ""), _line(waiting.get("message")), status.get("image", "")

    def trouble(text: str, hint: str, seconds: float = 0.0) -> Trouble:
        return Trouble(
            kind="pod", name=pod, reason=reason, message=text, hint=hint, patience=seconds, container=status["name"]
        )

    if reason in _PULL:
        told = _pull_message(pod, image, message, snapshot)
        fault = pull_fault(image, told)
        seconds = patience.unreached_registry if fault.may_heal else 0.0
        yield trouble(f"image {image} can't be pulled: {fault.words}", fault.hint, seconds)
    elif reason == "InvalidImageName":
        yield trouble(f"{image!r} is no image name: {message}", "correct the image in the values: repository and tag")
    elif reason == "ErrImageNeverPull":
        yield trouble(f"image {image} is not on the node: {message}", "set imagePullPolicy to IfNotPresent")
    elif reason in _MAY_NOT_START:
        hint = "make the secret or config map that it names, or correct its name in the values"
        if "not found" not in message or "executable" in message:
            hint = "correct the container's command and its mounts in the values"
        yield trouble(f"container {status['name']!r} can't start: {message}", hint, patience.missing_config)
    elif reason == "CrashLoopBackOff":
        count = status.get("restartCount", 0)
        seconds = 0.0 if count >= patience.restarts else math.inf
        text = f"container {status['name']!r} ended {count} times{_last_end(status)}"
        yield trouble(text, "read its last words, and correct the values it does not get along with", seconds)


def _ended(pod: str, status: Object) -> Iterator[Trouble]:
    """A container that failed and is not begun again (a job's): its job decides whether that is the end."""
    ended = (status.get("state") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        yield Trouble(
            kind="pod",
            name=pod,
            reason=ended.get("reason") or "Error",
            message=f"container {status['name']!r} ended with exit code {ended['exitCode']}{_told(ended)}",
            hint="read its last words, correct what it asks for, and run the install again",
            patience=math.inf,
            container=status["name"],
        )


def _pull_message(pod: str, image: str, message: str, snapshot: NamespaceState) -> str:
    """The runtime's own words, from the status or from the event about it; Back-off only tells that there were some."""
    if not message or re.fullmatch(r'Back-off pulling image "[^"]*"', message):
        failed = [
            each.message for each in snapshot.about("Pod", pod) if each.message.startswith("Failed to pull image")
        ]
        for told in reversed([each for each in failed if image in each] or failed):
            return told.partition('": ')[2] or told.partition(": ")[2]
    return message or "no reason is told"


def _last_end(status: Object) -> str:
    ended = (status.get("lastState") or {}).get("terminated") or {}
    if not ended:
        return ""
    return f", last by {ended.get('reason', 'Error')} with exit code {ended.get('exitCode')}{_told(ended)}"


def _told(ended: Object) -> str:
    """What a container wrote to its termination log."""
    return f": {_line(ended['message'])}" if ended.get("message") else ""


def _job(job: Object) -> Iterator[Trouble]:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") in ("Failed", "FailureTarget") and condition.get("status") == "True":
            what = "hook failed" if is_hook(job) else "failed"
            yield Trouble(
                kind="job",
                name=job["metadata"]["name"],
                reason=condition.get("reason") or "Failed",
                message=f"{what}: {_line(condition.get('message'))}",
                hint="read its last words, correct what it asks for, and run the install again",
            )
            return


def _volume(claim: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    if (claim.get("status") or {}).get("phase") != "Pending":
        return
    name = claim["metadata"]["name"]
    for event in reversed(snapshot.about("PersistentVolumeClaim", name)):
        if event.reason in ("FailedBinding", "ProvisioningFailed"):
            wanted = (claim.get("spec") or {}).get("storageClassName")
            asked = f"storage class {wanted!r}" if wanted else "the default storage class"
            yield Trouble(
                kind="persistentvolumeclaim",
                name=name,
                reason=event.reason,
                message=f"asks for {asked}: {event.message}",
                hint="name a storage class that is there (kubectl get storageclass) in the values",
                patience=patience.unbound_volume,
            )
            return


def _refused(maker: Object, snapshot: NamespaceState, patience: Patience) -> Iterator[Trouble]:
    """Pods that the API does not let a controller make: quotas, admission policies, service accounts."""
    kind, name = maker["kind"], maker["metadata"]["name"]
    if _has_its_pods(maker):
        return
    told = [event.message for event in snapshot.about(kind, name) if event.reason == "FailedCreate"]
    told += [
        _line(condition.get("message"))
        for condition in (maker.get("status") or {}).get("conditions") or ()
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
    ]
    refusals = [message for message in told if _REFUSING.search(message)]
    if refusals:
        yield Trouble(
            kind=kind.lower(),
            name=name,
            reason="FailedCreate",
            message=f"its pods are refused: {refusals[-1]}",
            hint="raise the quota, or make the pods what the policy asks for; the message names it",
            patience=patience.refused_pods,
        )


def _has_its_pods(maker: Object) -> bool:
    """Whether a controller has made all that it should, by now."""
    wanted: Mapping[str, Any] = maker.get("spec") or {}
    status = maker.get("status") or {}
    if maker["kind"] == "Job":
        return bool(status.get("active") or status.get("succeeded"))
    if maker["kind"] == "DaemonSet":
        return bool(status.get("currentNumberScheduled", 0) >= status.get("desiredNumberScheduled", 0))
    return bool(status.get("replicas", 0) >= wanted.get("replicas", 1))


def _line(text: object) -> str:
    return " ".join(str(text or "").split())


_RUNTIME_PREFIX = re.compile(r"^.*?ErrImagePull: |rpc error: code = \w+ desc = |failed to pull and unpack image \S+ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFault:
    """The runtime's words without what surrounds them, the next step, and whether trying again may help."""

    words: str
    hint: str
    may_heal: bool


def pull_fault(image: str, message: str) -> PullFault:
    """What a message about `image` means. One that only tells of waiting (Back-off pulling image) may heal."""
    host = _host(image)
    words = _RUNTIME_PREFIX.sub("", message).strip()
    for pattern, hint, may_heal in _CAUSES:
        if re.search(pattern, message, re.IGNORECASE):
            return PullFault(words=words, hint=hint.format(host=host, image=image), may_heal=may_heal)
    return PullFault(words=words, hint=f"on a node, try: crictl pull {image}", may_heal=True)


def _host(image: str) -> str:
    try:
        return Reference.parse(image).host
    except FormatError:
        return "the registry"


# First match wins.
_CAUSES = (
    (
        r"x509|certificate|tls: ",
        "make the nodes' container runtime trust the CA of {host} (containerd: certs.d/{host}/hosts.toml)",
        False,
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "give {host} TLS, or let the nodes' runtime speak plain HTTP to it (containerd: certs.d/{host}/hosts.toml)",
        False,
    ),
    (
        r"manifest unknown|not found|name unknown|repository does not exist",
        "check that {image} is in the registry, and that the chart's values name it as the bundle pushed it",
        False,
    ),
    (
        r"unauthorized|authentication required|\b40[13]\b|denied|no basic auth|forbidden|authorization failed",
        "check that the namespace has a pull secret for {host} with a login that works, and that the pod uses it",
        False,
    ),
    (
        r"no match for platform|exec format",
        "make the bundle for the nodes' platform: bundle.platform",
        False,
    ),
    (
        r"no such host|timeout|refused|unreachable|\b429\b|\b50\d\b|EOF|reset|no route",
        "check that the nodes resolve and reach {host}",
        True,
    ),
)
