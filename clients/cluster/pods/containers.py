"""What a pod's containers say (core/v1 ContainerStatus): what does not start, ends again, or is waited for."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundle.formats.numbers import count
from clients.cluster.pods.pulls import pull_fault, registry_host
from clients.cluster.pods.trouble import Event, Patience, Trouble, plain
from clients.cluster.pods.workloads import Object

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_PULLED = frozenset({"Pulled", "Failed", "BackOff"})  # events that end what began with Pulling
_MAY_NOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
_NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})  # reasons of an end that was none
_MISSING = re.compile(r'\b(secret|configmap|persistentvolumeclaim) "([^"]+)" not found')
_PASSING = re.compile(r"failed to sync|timed out|deadline exceeded|is reserved for|not registered")
_LAST_WORDS = 300  # characters
_READ_LOG = "read its last log lines, correct what it asks for, and run the install again"


def container_troubles(
    pod: Object, events: Sequence[Event], patience: Patience, *, in_job: bool = False
) -> Iterator[Trouble]:
    """The troubles of a pod's containers, init containers first. `events` are about the pod.

    In a job's pod a container that fails is no end as yet (its job decides), and one that runs is waited for.
    """
    status = pod.get("status") or {}
    sidecars = {each["name"] for each in _specs(pod, "initContainers") if each.get("restartPolicy") == "Always"}
    for each in status.get("initContainerStatuses") or ():
        first = each["name"] not in sidecars
        yield from _Container(pod, each, events, patience, in_job=in_job, first=first).troubles()
    for each in status.get("containerStatuses") or ():
        yield from _Container(pod, each, events, patience, in_job=in_job, first=False).troubles()


def statuses(pod: Object) -> tuple[Object, ...]:
    """The statuses of a pod's containers, init containers first."""
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def has_begun(pod: Object) -> bool:
    """Whether any container of a pod has started by now: all that comes before that is done."""
    return any(
        {"running", "terminated"} & (each.get("state") or {}).keys()
        or each.get("lastState")
        or each.get("restartCount")
        for each in statuses(pod)
    )


def missing_object(message: str) -> tuple[str, str] | None:
    """The secret, config map or claim (kind, name) that a message misses."""
    found = _MISSING.search(message)
    return (found[1], found[2]) if found else None


def last_end(status: Object) -> Mapping[str, Any]:
    """How a container ended last; empty where it never did."""
    states = (status.get("state") or {}, status.get("lastState") or {})
    return next((each["terminated"] for each in states if each.get("terminated")), {})


def is_fault(end: Mapping[str, Any]) -> bool:
    """Whether a container's end was an error, or for lack of memory."""
    return bool(end) and (bool(end.get("exitCode")) or end.get("reason") == "OOMKilled")


def ended_words(status: Object) -> str:
    """How often and how a container ended, for example "ended 3 times, last by Error with exit code 1"."""
    end, count = last_end(status), ends(status)
    if count <= 1:
        by = "by OOMKilled, " if end.get("reason") == "OOMKilled" else ""
        return f"ended {by}with exit code {end.get('exitCode')}{_said(end)}" if end else "ended"
    last = f", last by {end.get('reason') or 'Error'} with exit code {end.get('exitCode')}{_said(end)}" if end else ""
    return f"ended {count} times{last}"


def ends(status: Object) -> int:
    """How often a container has ended, now included when it does not run."""
    return count(status.get("restartCount")) + (0 if "running" in (status.get("state") or {}) else 1)


class _Container:
    """One container of a pod, looked at once. `first` is an init container that all others wait for."""

    def __init__(
        self, pod: Object, status: Object, events: Sequence[Event], patience: Patience, *, in_job: bool, first: bool
    ) -> None:
        self._pod = pod
        self._status = status
        self._events = events
        self._patience = patience
        self._in_job = in_job
        self._first = first
        self._state: Mapping[str, Any] = status.get("state") or {}
        self._named = f"{'init ' if first else ''}container {status['name']!r}"

    def troubles(self) -> Iterator[Trouble]:
        waiting = self._state.get("waiting") or {}
        reason, message, image = waiting.get("reason", ""), plain(waiting.get("message")), self._status.get("image", "")
        end = last_end(self._status)
        if reason in _PULL:
            words = self._pull_words(image, message)
            fault = pull_fault(image, words, secrets=pull_secrets(self._pod))
            seconds = self._patience.unreached_registry if fault.may_heal else 0.0
            yield self._trouble("pull", reason, f"image {image} can't be pulled: {fault.words}", fault.hint, seconds)
        elif reason == "InvalidImageName":
            hint = "correct the image in the values: repository and tag"
            yield self._trouble("pull", reason, f"{image!r} is no image name: {message}", hint)
        elif reason == "ErrImageNeverPull":
            hint = "set imagePullPolicy to IfNotPresent"
            yield self._trouble("pull", reason, f"image {image} is not on the node: {message}", hint)
        elif reason in _MAY_NOT_START:
            yield self._not_started(reason, message)
        elif end.get("reason") in _NEVER_RAN and "running" not in self._state:
            yield self._not_started(reason or str(end["reason"]), plain(end.get("message")))
        elif reason == "CrashLoopBackOff" or (self._state.get("terminated") and self._fails(end)):
            yield self._crash(reason or end.get("reason") or "Error", end)
        elif "running" in self._state:
            yield from self._running(end)
        elif waiting and self._is_being_pulled():
            hint = f"see that the nodes reach {registry_host(image)}, and how fast"
            yield self._trouble("pulling", "Pulling", f"image {image} is being pulled", hint, math.inf, waits=True)

    def _is_being_pulled(self) -> bool:
        """Whether a pull of its image has begun, and has neither ended nor failed."""
        own = [each for each in self._events if each.container == self._status["name"]]
        begun = max((each.last for each in own if each.reason == "Pulling"), default="")
        return begun > max((each.last for each in own if each.reason in _PULLED), default="")

    def _fails(self, end: Mapping[str, Any]) -> bool:
        """Whether an end is none that was meant to come: what serves ends never, what has failed again and again."""
        return is_fault(end) or (bool(self._status.get("restartCount")) and not self._in_job and not self._first)

    def _running(self, end: Mapping[str, Any]) -> Iterator[Trouble]:
        again = bool(self._status.get("restartCount")) and is_fault(end)
        if again and not self._in_job:
            message = f"{self._named} runs again, but it {ended_words(self._status)}"
            hint = self._crash_hint(end)
            yield self._trouble("crash", "Restarted", message, hint, math.inf, rests=True)
        elif self._first or self._in_job:
            hint = "read its last log lines: they may say what it waits for"
            yield self._trouble("runs", "Running", f"{self._named} still runs", hint, math.inf, waits=True)
        elif self._status.get("ready") is False:
            failed = [each for each in self._own_events() if each.reason == "Unhealthy"]
            said = f": {failed[-1].message}" if failed else ""
            hint = "correct what the probe asks for in the values, or what keeps the container from answering"
            if not failed:
                hint = "read its last log lines: it has not become ready yet"
            yield self._trouble(
                "ready", "NotReady", f"{self._named} runs, but is not ready{said}", hint, math.inf, waits=True
            )

    def _crash(self, reason: str, end: Mapping[str, Any]) -> Trouble:
        killed = [each for each in self._own_events() if each.message.startswith("Liveness probe failed")]
        message = f"{self._named} {ended_words(self._status)}"
        message += f"; {killed[-1].message}" if killed else ""
        tried = count(self._status.get("restartCount")) >= self._patience.restarts
        seconds = self._patience.crash_loop if tried and not self._in_job else math.inf
        return self._trouble("crash", reason, message, self._crash_hint(end), seconds)

    def _crash_hint(self, end: Mapping[str, Any]) -> str:
        code = end.get("exitCode")
        if end.get("reason") == "OOMKilled":
            return "raise the container's memory limit in the values (resources.limits.memory), or make it use less"
        if any(each.message.startswith("Liveness probe failed") for each in self._own_events()):
            return "correct what its liveness probe asks for in the values, or give it more time (a startup probe)"
        if code == 137:
            return "it was killed: look at its liveness probe and at its memory (resources.limits.memory) in the values"
        if code in (126, 127):
            return "correct the container's command in the values: its shell can't run it"
        if end and code == 0:
            return "its command ends by itself: correct it in the values, so that it goes on running"
        return _READ_LOG

    def _not_started(self, reason: str, message: str) -> Trouble:
        awaits = missing_object(message)
        seconds = math.inf if _PASSING.search(message) else self._patience.missing_config
        text, hint = f"{self._named} can't start: {message}", _start_hint(message)
        return self._trouble("start", reason, text, hint, seconds, awaits=awaits)

    def _pull_words(self, image: str, message: str) -> str:
        """The runtime's own words, from the status or the event about it; Back-off only tells that there were some."""
        if not message or re.fullmatch(r'Back-off pulling image "[^"]*"', message):
            failed = [each.message for each in self._events if each.message.startswith("Failed to pull image")]
            for words in reversed([each for each in failed if image in each] or failed):
                return words.partition('": ')[2] or words.partition(": ")[2]
        return message or "no reason is given"

    def _own_events(self) -> list[Event]:
        """The warnings about this container, and those that name none."""
        name = self._status["name"]
        return [each for each in self._events if each.type == "Warning" and each.container in ("", name)]

    def _trouble(
        self, cause: str, reason: str, message: str, hint: str, seconds: float = 0.0, *,
        rests: bool = False, waits: bool = False, awaits: tuple[str, str] | None = None,
    ) -> Trouble:  # fmt: skip
        meta = self._pod["metadata"]
        return Trouble(
            kind="pod", name=meta["name"], uid=meta["uid"], container=self._status["name"], cause=cause, reason=reason,
            message=message, hint=hint, patience=seconds, rests=rests, waits=waits, awaits=awaits,
        )  # fmt: skip


def pull_secrets(pod: Object) -> tuple[str, ...]:
    """The names of the pull secrets that a pod uses, its service account's among them."""
    return tuple(each["name"] for each in pod["spec"].get("imagePullSecrets") or () if each.get("name"))


def _said(end: Mapping[str, Any]) -> str:
    """What a container wrote to its termination log, where some have their last log lines."""
    words = plain(end.get("message"))
    return f": {words[-_LAST_WORDS:]}" if words else ""


def _specs(pod: Object, kind: str) -> Sequence[Object]:
    return (pod.get("spec") or {}).get(kind) or ()


def _start_hint(message: str) -> str:
    for pattern, hint in _START_HINTS:
        if re.search(pattern, message):
            return hint
    return (
        "correct the container's command, mounts and securityContext in the values; the message names what is refused"
    )


# First match wins.
_START_HINTS = (
    (
        r"runAsNonRoot.*non-numeric|non-numeric user",
        "set securityContext.runAsUser in the values to the number of the image's user: its name proves nothing",
    ),
    (
        r"runAsNonRoot",
        "set securityContext.runAsUser in the values to a user that is not 0, or carry an image whose user is not root",
    ),
    (r"couldn't find key", "add this key to the secret or config map, or correct the key's name in the values"),
    (
        r"executable file not found|exec: .*(no such file|permission denied)",
        "correct the container's command in the values: the image has no such program",
    ),
    (r"exec format error", "make the bundle for the nodes' platform: bundle.platform"),
    (r"not found", "make the secret or config map that it names, or correct its name in the values"),
)
