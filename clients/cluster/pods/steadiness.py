"""How long the pods of a release have stayed ready: a container that ends after ten seconds was ready for ten, too."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clients.cluster.pods.containers import ended_words, ends, last_end, statuses
from clients.cluster.pods.trouble import moment
from clients.cluster.pods.workloads import NamespaceState, Object, is_true

PROBED = 10.0  # seconds; a readiness probe says itself when a container is ready
UNPROBED = 30.0  # without one a container is ready as soon as it runs
AFTER_ERROR = 30.0  # at least, and twice as long as it ran before it ended
_LONGEST = 300.0  # seconds, for one that ended after long
_SKEW = 120.0  # seconds that the cluster's clock may be behind ours
_RECENT = 600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Since when a pod has been ready at every look, and how often its containers had started again by then."""

    since: float
    restarts: tuple[int, ...]


class Steadiness:
    """What several looks at pods have in common. One for each release and run; used by one thread at a time."""

    def __init__(
        self, *, now: Callable[[], float] = time.monotonic, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now = now
        self._clock = clock
        self._before: dict[str, tuple[int, ...]] = {}
        self._stretches: dict[str, _Stretch] = {}

    def begin(self, pods: Iterable[Object]) -> None:
        """What is there before an upgrade: how often these have started again by now is not its fault."""
        self._before = {each["metadata"]["uid"]: _restarts(each) for each in pods}

    def note(self, pods: Iterable[Object]) -> None:
        """Look once at all pods of the release."""
        now, stretches = self._now(), {}
        for pod in pods:
            uid, restarts = pod["metadata"]["uid"], _restarts(pod)
            if not_ready(pod):
                continue
            known = self._stretches.get(uid)
            stretches[uid] = known if known and known.restarts == restarts else _Stretch(since=now, restarts=restarts)
        self._stretches = stretches

    def lacking(self, pods: Iterable[Object], wanted: float | None = None) -> tuple[str, ...]:
        """What is not ready, or not for long enough yet, one line for each pod; note the same pods first.

        `wanted` is how many seconds they have to stay ready, 0 for none; None: by whether they have readiness probes.
        """
        found = ((each, self._lack(each, wanted)) for each in pods)
        return tuple(f"pod {each['metadata']['name']}: {lack}" for each, lack in found if lack)

    def _lack(self, pod: Object, wanted: float | None) -> str:
        if lack := not_ready(pod):
            return lack
        uid = pod["metadata"]["uid"]
        if wanted == 0 or self._before.get(uid) == _restarts(pod):
            return ""
        ended = [each for each in _running(pod) if last_end(each)]
        needed = max([wanted if wanted is not None else _by_probes(pod), *(_again(each) for each in ended)])
        known = self._stretches.get(uid)
        held = max(self._now() - known.since if known else 0.0, self._running(pod))
        if held >= needed:
            return ""
        said = f", its container {ended[0]['name']!r} {ended_words(ended[0])}" if ended else ""
        return f"ready for {held:.0f} s{said}; it counts as ready after {needed:.0f} s"

    def _running(self, pod: Object) -> float:
        """How long all its containers have run at least, by its own times: they may have run long before we looked."""
        starts = [moment(((each.get("state") or {}).get("running") or {}).get("startedAt")) for each in _running(pod)]
        since = [each for each in starts if each]
        return (self._clock() - max(since)).total_seconds() - _SKEW if since and len(since) == len(starts) else 0.0


def not_ready(pod: Object) -> str:
    """What a pod that is to be up lacks at this moment; empty when it is ready."""
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        if last_end(each) and "running" not in (each.get("state") or {}):
            return f"its container {each['name']!r} {ended_words(each)}"
        if waiting:
            return f"its container {each['name']!r} waits: {waiting.get('reason') or 'it has not started'}"
    return "" if is_true(pod, "Ready") else "it is not ready"


def glance(state: NamespaceState, release: str, now: datetime) -> tuple[str, ...]:
    """What one look says is not well with a release: workloads and pods that are not ready, and containers that run,
    but have ended minutes ago; one line for each.
    """
    pods = list(state.standing(release))
    unready = (f"pod {each['metadata']['name']}: {lack}" for each in pods if (lack := not_ready(each)))
    return (*state.lacking(release), *unready, *_recent_ends(pods, now))


def _recent_ends(pods: Sequence[Object], now: datetime) -> tuple[str, ...]:
    lines = []
    for pod in pods:
        for each in _running(pod):
            at = moment(last_end(each).get("finishedAt"))
            if at and (now - at).total_seconds() < _RECENT:
                lines.append(f"pod {pod['metadata']['name']}: its container {each['name']!r} {ended_words(each)}")
    return tuple(lines)


def _again(status: Object) -> float:
    """How long a container has to run that started again after an error."""
    end = last_end(status)
    begun, ended = moment(end.get("startedAt")), moment(end.get("finishedAt"))
    ran = (ended - begun).total_seconds() if begun and ended else 0.0
    return min(max(AFTER_ERROR, 2 * ran), _LONGEST)


def _by_probes(pod: Object) -> float:
    return PROBED if all(each.get("readinessProbe") for each in pod["spec"].get("containers") or ()) else UNPROBED


def _running(pod: Object) -> list[Object]:
    return [each for each in statuses(pod) if "running" in (each.get("state") or {})]


def _restarts(pod: Object) -> tuple[int, ...]:
    return tuple(ends(each) for each in _running(pod))
