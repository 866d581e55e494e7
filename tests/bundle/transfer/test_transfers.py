"""One bound on everything that moves."""

import threading
from collections.abc import Iterable, Iterator
from functools import partial

import pytest

from bundle.errors import ProblemsError, SourceError
from bundle.transfer.transfers import Step, Transfers


class Gauge:
    """Counts how many steps are inside at once; each waits for the others, up to the bound."""

    def __init__(self, bound: int) -> None:
        self.barrier = threading.Barrier(bound)
        self.inside = self.most = 0
        self.guard = threading.Lock()

    def step(self) -> None:
        with self.guard:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.barrier.wait(10)
        with self.guard:
            self.inside -= 1


def test_steps_run_at_once_up_to_the_bound() -> None:
    gauge = Gauge(3)
    Transfers(3).run_all([gauge.step] * 12)
    assert gauge.most == 3


def test_the_bound_is_shared_by_all_callers() -> None:
    gauge, transfers = Gauge(2), Transfers(2)
    callers = [threading.Thread(target=transfers.run_all, args=([gauge.step] * 4,)) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert gauge.most == 2


def test_the_largest_goes_first_whoever_asks() -> None:
    transfers, done = Transfers(1), list[str]()
    inside, go, asked = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        assert go.wait(10)

    first = threading.Thread(target=transfers.run_all, args=([hold],))
    first.start()
    assert inside.wait(10)
    orders: list[tuple[list[str], list[int]]] = [(["a 5", "a 9", "a 2"], [5, 9, 2]), (["b 7", "b 2"], [7, 2])]
    others = []
    for names, sizes in orders:
        steps = Told([partial(done.append, name) for name in names], asked)
        others.append(threading.Thread(target=transfers.run_all, args=(steps, sizes)))
        others[-1].start()
        assert asked.wait(10)
        asked.clear()
    go.set()
    for thread in (first, *others):
        thread.join(10)
    assert done == ["a 9", "b 7", "a 5", "a 2", "b 2"]


def test_who_waits_for_the_same_thing_keeps_no_worker() -> None:
    transfers, begun, go, other = Transfers(2), threading.Event(), threading.Event(), threading.Event()
    inside, most, guard = 0, 0, threading.Lock()

    def move() -> None:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        begun.set()
        assert go.wait(10)
        with guard:
            inside -= 1

    def small() -> None:
        other.set()
        go.set()

    same = threading.Thread(target=transfers.run_all, args=([move, move, move], [9, 9, 9], ["layer"] * 3))
    same.start()
    assert begun.wait(10)
    transfers.run_all([small], [1], ["config"])
    assert other.is_set()
    same.join(10)
    assert not same.is_alive()
    assert most == 1


def test_a_thing_that_failed_does_not_hold_up_others() -> None:
    transfers, done = Transfers(1), list[int]()

    def fail() -> None:
        raise SourceError("no")

    with pytest.raises(SourceError):
        transfers.run_all([fail, partial(done.append, 1)], things=["layer", "layer"])
    transfers.run_all([partial(done.append, 2)], things=["layer"])
    assert done == [2]


class Told(list[Step]):
    """Steps that tell when the last of them was asked for."""

    def __init__(self, steps: Iterable[Step], asked: threading.Event) -> None:
        super().__init__(steps)
        self._asked = asked

    def __iter__(self) -> Iterator[Step]:
        yield from super().__iter__()
        self._asked.set()


def test_nothing_to_do() -> None:
    Transfers(2).run_all([])


def fail(message: str) -> None:
    raise SourceError(message, hint="do better")


def test_one_failure_is_raised_as_it_is() -> None:
    done: list[int] = []
    transfers = Transfers(1)
    with pytest.raises(SourceError, match="first") as caught:
        transfers.run_all([lambda: fail("first"), lambda: done.append(1)])
    assert caught.value.hint == "do better"
    assert done == []
    transfers.run_all([lambda: done.append(2)])
    assert done == [2]


def test_a_failure_is_the_failure_of_its_caller_only() -> None:
    transfers, done = Transfers(1), list[int]()
    inside, go = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        assert go.wait(10)
        done.append(1)

    other = threading.Thread(target=transfers.run_all, args=([slow, lambda: done.append(2)],))
    other.start()
    assert inside.wait(10)
    go.set()
    with pytest.raises(SourceError):
        transfers.run_all([lambda: fail("mine")])
    other.join(10)
    assert done == [1, 2]


def fail_together(*messages: str) -> None:
    """Two steps that fail after both have begun."""
    barrier = threading.Barrier(2)

    def step(message: str) -> None:
        barrier.wait(10)
        fail(message)

    Transfers(2).run_all([partial(step, message) for message in messages])


def test_several_failures_are_told_together() -> None:
    with pytest.raises(ProblemsError, match="2 transfers failed") as caught:
        fail_together("a", "b")
    assert sorted(caught.value.problems) == ["a\n  next: do better", "b\n  next: do better"]


def test_the_same_failure_is_told_once() -> None:
    with pytest.raises(SourceError, match="a"):
        fail_together("a", "a")


def test_a_fault_of_our_own_is_not_hidden_among_others() -> None:
    barrier = threading.Barrier(2)

    def expected() -> None:
        barrier.wait(10)
        fail("expected")

    def broken() -> None:
        barrier.wait(10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Transfers(2).run_all([expected, broken])


def test_stop_ends_what_checks_and_begins_nothing() -> None:
    transfers, begun = Transfers(1), threading.Event()
    later: list[int] = []

    def long() -> None:
        begun.set()
        while True:
            transfers.check()

    def stop() -> None:
        assert begun.wait(10)
        transfers.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(KeyboardInterrupt):
        transfers.run_all([long, lambda: later.append(1)])
    stopper.join()
    assert later == []
    with pytest.raises(KeyboardInterrupt):
        transfers.run_all([lambda: later.append(1)])
    assert later == []
