"""Looks after one release again and again: what it lacks, what it waits for, and which cause will not heal any more."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from bundle.errors import AirgapError, ClusterError, ProgramError
from clients.cluster.pods._memory import EventMemory
from clients.cluster.pods.causes import causes, waited_for
from clients.cluster.pods.nodes import Nodes, NodeView
from clients.cluster.pods.steadiness import Steadiness
from clients.cluster.pods.trouble import Event, Patience, Trouble, plain
from clients.cluster.pods.workloads import KINDS, WORKLOADS, NamespaceState, Object
from clients.programs.process import masked

INTERVAL = 3.0  # seconds between two looks; each is two short kubectl runs
_LINES = 12
_EVENTS = 6
_HELD_BACK = 10.0  # seconds before the log of what only waits is fetched: most have ended by then
_REFRESHED = 15.0  # seconds between two fetches of it
_LOGS_AT_ONCE = 4
_SPEAKING = frozenset({"crash", "ready", "runs"})  # causes of containers that have run
_RESTED = 60.0  # seconds; a container of a crash loop that runs for so long has healed
_TELLING = frozenset({"forbidden", "unauthorized", "untrusted"})  # refusals that no waiting changes


class ClusterView(Protocol):
    """What is looked at in a cluster; Kubectl is one."""

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        """All objects of some kinds."""

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        """What happened, oldest first."""

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        """The last lines that a container wrote."""


class ClusterObjects(ClusterView, NodeView, Protocol):
    """A cluster whose objects are looked for, and removed, one by one; Kubectl is one."""

    def exists(self, kind: str, name: str, *, namespace: str = "") -> bool:
        """Whether there is such an object."""

    def delete(self, kind: str, name: str, *, namespace: str = "", wait: bool = True) -> bool:
        """Remove an object."""


class Watch:
    """Looks after one release in one namespace, from its making on. Secrets are masked in what it tells.

    `steadiness` may be one that has seen the release before; `floor` is the least patience, for objects that are only
    just being replaced.
    """

    def __init__(
        self,
        release: str,
        *,
        namespace: str,
        cluster: ClusterObjects,
        patience: Patience | None = None,
        secrets: Iterable[str] = (),
        now: Callable[[], float] = time.monotonic,
        steadiness: Steadiness | None = None,
        floor: float = 0.0,
    ) -> None:
        self.release = release
        self.namespace = namespace
        self._cluster = cluster
        self._patience = patience or Patience()
        self._secrets = secrets
        self._now = now
        self._steadiness = steadiness or Steadiness(now=now)
        self._floor = floor
        self._memory = EventMemory(now)
        self._nodes = Nodes(cluster, now)
        self._before: NamespaceState | None = None
        self.latest: NamespaceState | None = None
        """What the last look saw; None when it saw nothing."""
        self._since: dict[tuple[str, ...], float] = {}
        self._rests: dict[tuple[str, ...], float] = {}
        self._told: dict[tuple[str, ...], Trouble] = {}
        self._fetched: dict[tuple[str, ...], float] = {}
        self._waiting: tuple[str, ...] = ()
        self._freed: set[str] = set()
        self.refusal: AirgapError | None = None
        """Why the last look saw nothing; None when it saw something."""

    def afresh(self, *, floor: float = 0.0) -> "Watch":
        """Another one that knows nothing of before: for what comes next to the same release."""
        return Watch(
            self.release, namespace=self.namespace, cluster=self._cluster, patience=self._patience,
            secrets=self._secrets, now=self._now, floor=floor,
        )  # fmt: skip

    def begin(self, *, anew: bool = True) -> None:
        """Remember what is there before anything changes. With `anew`, older pods are not the trouble of what begins;
        else only older hooks are not.
        """
        before = self.latest = self._snapshot()
        if before:
            self._memory.begin(before.events)
            if anew:
                self._steadiness.begin(before.standing(self.release))
            self._before = before if anew else before.hooks()

    def look(self, *, last: bool = False) -> Trouble | None:
        """Look once: a cause that has lasted longer than its patience, or None. The `last` look fetches every log.

        A cluster that does not answer is no cause: it may be restarting, and helm has the last word.
        """
        snapshot = self.latest = self._snapshot()
        if snapshot is None:
            return None
        self._steadiness.note(snapshot.standing(self.release))
        found = self._found(snapshot)
        now = self._now()
        self._remember(found, now)
        self._keep_words(found, snapshot, now, last=last)
        # What was missing last is kept: helm may have begun to undo all by now.
        self._waiting = snapshot.lacking(self.release) or self._waiting
        for trouble in found:
            patience = max(trouble.patience, self._floor)
            if not trouble.rests and now - self._since[trouble.key] >= patience and not self._has_come(trouble):
                return self._with_last_words(trouble, snapshot)
        return None

    def suspects(self) -> tuple[Trouble, ...]:
        """The likeliest causes first: the troubles of the last look, else the last that were seen before."""
        seen_now = [self._told[key] for key in self._since if key in self._told]
        return tuple(seen_now) or tuple(reversed(self._told.values()))

    def waiting(self) -> tuple[str, ...]:
        """What was not ready when anything was seen not to be, one line for each workload."""
        return self._waiting

    def lacking(self) -> tuple[str, ...]:
        """What is not ready now, one line for each workload; what could not be looked at is not."""
        if self.latest is None:
            return (f"the cluster does not tell: {self.refusal.what}" if self.refusal else "nobody has looked yet",)
        return self.latest.lacking(self.release)

    def unsteady(self, wanted: float | None = None) -> tuple[str, ...]:
        """Which pods are not ready, or not for long enough yet (`wanted` seconds), one line for each."""
        found = self._steadiness.lacking(self.latest.standing(self.release), wanted) if self.latest else ()
        return tuple(masked(line, self._secrets) for line in found)

    def pods(self) -> dict[str, Object]:
        """The release's pods at the last look, by uid, none of hooks and jobs."""
        standing = self.latest.standing(self.release) if self.latest else ()
        return {each["metadata"]["uid"]: each for each in standing}

    def progress(self) -> str:
        """What is waited for now, on one line; empty when nothing is known to be missing."""
        now_seen = [self._told[key] for key in self._since if key in self._told]
        if now_seen:
            more = f" (and {len(now_seen) - 1} more)" if len(now_seen) > 1 else ""
            return f"{now_seen[0].brief}{more}"
        if self.latest is None:
            return f"the cluster does not answer: {self.refusal.what}" if self.refusal else ""
        members = self.latest.members(self.release, before=self._before)
        pods = (waited_for(each) for each in members if each["kind"] == "Pod" and not _is_going(each))
        return "; ".join([*self.latest.lacking(self.release)[:2], *[each for each in pods if each][:2]])

    def free(self) -> None:
        """Remove the pods that their StatefulSet can't replace by itself; an account that may not has them stay."""
        for pod in self.latest.stuck(self.release) if self.latest else ():
            if pod["metadata"]["uid"] not in self._freed:
                self._freed.add(pod["metadata"]["uid"])
                with suppress(ClusterError, ProgramError):
                    self._cluster.delete("pod", pod["metadata"]["name"], namespace=self.namespace, wait=False)

    def _found(self, snapshot: NamespaceState) -> list[Trouble]:
        """The troubles of what is new, and after them those of older pods, which an upgrade may cure."""
        members = list(snapshot.members(self.release, before=self._before))
        new = {each["metadata"]["uid"] for each in members}
        older = [each for each in snapshot.standing(self.release) if each["metadata"]["uid"] not in new]
        cured = (replace(each, patience=math.inf) for each in causes(snapshot, older, self._patience))
        return [*causes(snapshot, members, self._patience), *cured]

    def _remember(self, found: Sequence[Trouble], now: float) -> None:
        """Since when each trouble lasts; one that has rested for long begins anew when it comes back."""
        healed = {key for key, since in self._rests.items() if now - since >= _RESTED}
        self._rests = {each.key: self._rests.get(each.key, now) for each in found if each.rests}
        self._since = {each.key: now if each.key in healed else self._since.get(each.key, now) for each in found}

    def _keep_words(self, found: Sequence[Trouble], snapshot: NamespaceState, now: float, *, last: bool) -> None:
        """Keep events and log of each trouble at first sight, for a failed hook's pod may be gone a second later.

        Of what only waits they are kept later. Of what goes on saying something, again and again: its last lines count.
        """
        again = 0
        for trouble in found:
            key = trouble.key
            due = last or (not trouble.waits and key not in self._told)
            if (
                not due
                and trouble.cause in _SPEAKING
                and now - self._since[key] >= _HELD_BACK
                and again < _LOGS_AT_ONCE
            ):
                due = now - self._fetched.get(key, -math.inf) >= _REFRESHED
                again += due
            if due:
                self._fetched[key] = now
                self._told[key] = self._with_last_words(trouble, snapshot)
            elif key in self._told:
                known = self._told[key]
                message = masked(trouble.message, self._secrets)
                self._told[key] = replace(trouble, message=message, events=known.events, log=known.log)

    def _has_come(self, trouble: Trouble) -> bool:
        """Whether what was missing is there by now: kubelet only takes its time to look again."""
        if not trouble.awaits:
            return False
        try:
            return self._cluster.exists(*trouble.awaits, namespace=self.namespace)
        except (ClusterError, ProgramError):
            return False

    def _snapshot(self) -> NamespaceState | None:
        self.refusal = None
        try:
            try:
                objects = self._cluster.list(KINDS, namespace=self.namespace)
                objects = [*objects, *self._nodes.of(objects)]
                events = self._memory.fresh(self._cluster.events(self.namespace))
            except ClusterError as err:
                if err.reason != "forbidden":
                    raise
                # An account that may not see pods sees at least what it installs.
                return NamespaceState.of(self._cluster.list(WORKLOADS, namespace=self.namespace), ())
            return NamespaceState.of(objects, events, self._memory.healed(events))
        except (ClusterError, ProgramError) as err:
            self.refusal = err
            return None

    @property
    def is_refused(self) -> bool:
        """Whether the last look saw nothing, and no waiting will change that."""
        return isinstance(self.refusal, ClusterError) and self.refusal.reason in _TELLING

    def _with_last_words(self, trouble: Trouble, snapshot: NamespaceState) -> Trouble:
        """The trouble with its events and log; those told before stay when the pod has none any more."""
        earlier, each = self._told.get(trouble.key), snapshot.objects.get(trouble.uid)
        events = [event for event in snapshot.about(each) if event.type == "Warning"] if each else []
        log = self._last_lines(trouble, snapshot)
        return replace(
            trouble,
            message=masked(trouble.message, self._secrets),
            events=tuple(masked(str(event), self._secrets) for event in events[-_EVENTS:])
            or (earlier.events if earlier else ()),
            log=tuple(masked(line, self._secrets) for line in log) or (earlier.log if earlier else ()),
        )

    def _last_lines(self, trouble: Trouble, snapshot: NamespaceState) -> tuple[str, ...]:
        for pod, container, previous in _speakers(trouble, snapshot):
            try:
                text = self._cluster.logs(pod, container, namespace=self.namespace, lines=_LINES, previous=previous)
            except (ClusterError, ProgramError):
                continue
            if lines := [line for line in map(plain, text.splitlines()) if line]:
                return tuple(lines)
        return ()


def _is_going(each: Object) -> bool:
    return bool(each["metadata"].get("deletionTimestamp"))


def _speakers(trouble: Trouble, snapshot: NamespaceState) -> Iterator[tuple[str, str, bool]]:
    """Pods and containers that may have said why, and whether before their last restart, in the order to ask them."""
    if trouble.container:
        before = trouble.cause == "crash" and trouble.reason in ("CrashLoopBackOff", "Restarted")
        yield trouble.name, trouble.container, before
        if before:
            yield trouble.name, trouble.container, False
    elif trouble.kind == "job":
        for pod in snapshot.objects.values():
            if pod["kind"] == "Pod" and (snapshot.owner(pod) or {}).get("metadata", {}).get("uid") == trouble.uid:
                for container in pod["spec"]["containers"]:
                    yield pod["metadata"]["name"], container["name"], False
