"""Events that tell of the past, by a clock of the test."""

from dataclasses import replace

from clients.cluster.pods._memory import EventMemory
from tests.fixtures.made.objects import event


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_was_there_before_is_of_the_past_until_it_comes_again() -> None:
    old = event("Job", "migrate", "BackoffLimitExceeded", "failed")
    memory = EventMemory(Clock())
    memory.begin([old])
    again = replace(old, count=2, last="2026-01-01T00:01:00Z")
    assert memory.fresh([old]) == []
    assert memory.fresh([old, again]) == [again]


def test_a_pod_has_no_past() -> None:
    """Pods of an upgrade are new: what is told of one before the first look is of now."""
    told = event("Pod", "web-1", "Failed", "no such image")
    memory = EventMemory(Clock())
    memory.begin([told])
    assert memory.fresh([told]) == [told]


def test_a_mount_that_failed_once_has_healed_when_it_is_not_tried_again() -> None:
    clock = Clock()
    memory = EventMemory(clock)
    mount = event("Pod", "web-1", "FailedMount", "secret is not there")
    assert list(memory.healed(memory.fresh([mount]))) == []
    clock.seconds = 9.0
    assert list(memory.healed(memory.fresh([mount]))) == []
    clock.seconds = 11.0
    assert list(memory.healed(memory.fresh([mount]))) == [mount]


def test_the_longer_it_lasted_the_longer_is_it_waited_for_up_to_a_bound() -> None:
    """Kubelet doubles its pauses up to two minutes."""
    clock = Clock()
    memory = EventMemory(clock)
    minute = event("Pod", "web-1", "FailedMount", "x", first="2026-01-01T00:00:00Z", last="2026-01-01T00:01:00Z")
    hour = event("Pod", "web-2", "FailedMount", "x", first="2026-01-01T00:00:00Z", last="2026-01-01T01:00:00Z")
    memory.fresh([minute, hour])
    clock.seconds = 125.0
    assert list(memory.healed(memory.fresh([minute, hour]))) == []
    clock.seconds = 135.0
    assert list(memory.healed(memory.fresh([minute, hour]))) == [minute]
    clock.seconds = 151.0
    assert list(memory.healed(memory.fresh([minute, hour]))) == [minute, hour]


def test_what_does_not_repeat_never_heals_by_silence() -> None:
    clock = Clock()
    memory = EventMemory(clock)
    failed = event("Pod", "web-1", "Failed", "no such image")
    memory.fresh([failed])
    clock.seconds = 10_000.0
    assert list(memory.healed(memory.fresh([failed]))) == []
