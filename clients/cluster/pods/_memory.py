"""Which events are of the past: the API keeps them for an hour, whatever has become of what they tell."""

from collections.abc import Callable, Iterable, Iterator

from clients.cluster.pods.trouble import Event

_REPEATS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"})
_LONGEST_PAUSE = 150.0  # seconds; kubelet's own is two minutes


class EventMemory:
    """Which events are of the past: those from before we began, and those that would have come again by now."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._past: frozenset[Event] = frozenset()
        self._seen: dict[Event, float] = {}

    def begin(self, events: Iterable[Event]) -> None:
        """These tell of what was; the same one counts when it comes once more. Pods that are new have no past."""
        self._past = frozenset(each for each in events if each.kind != "Pod")

    def fresh(self, events: Iterable[Event]) -> list[Event]:
        """Those of the events that have come since."""
        found = [each for each in events if each not in self._past]
        now = self._now()
        self._seen = {each: self._seen.get(each, now) for each in found if each.reason in _REPEATS}
        return found

    def healed(self, events: Iterable[Event]) -> Iterator[Event]:
        """Those that have not come again in twice the time that they had lasted: kubelet doubles its pauses."""
        now = self._now()
        for each in events:
            pause = min(2 * each.lasted + 10.0, _LONGEST_PAUSE)
            if each in self._seen and now - self._seen[each] > pause:
                yield each
