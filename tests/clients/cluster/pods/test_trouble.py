"""Events and troubles as they are shown."""

from typing import Any

import pytest

from clients.cluster.pods.trouble import Event, Trouble

OLD = {"lastTimestamp": "2026-01-01T00:00:02Z", "count": 3}
NEW = {"eventTime": "2026-01-01T00:00:01Z", "series": {"count": 4, "lastObservedTime": "2026-01-01T00:00:03Z"}}


def event(**data: Any) -> Event:
    about = {"involvedObject": {"kind": "Pod", "name": "web-1"}, "type": "Warning", "reason": "BackOff"}
    return Event.from_json({**about, "message": "back-off\n  5m0s", **data})


@pytest.mark.parametrize(
    ("data", "count", "last"),
    [
        (OLD, 3, "2026-01-01T00:00:02Z"),
        (NEW, 4, "2026-01-01T00:00:03Z"),
        ({"eventTime": "2026-01-01T00:00:01Z", "lastTimestamp": None, "count": None}, 1, "2026-01-01T00:00:01Z"),
        ({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}, 1, "2026-01-01T00:00:00Z"),
        ({}, 1, ""),
    ],
    ids=["older fields", "newer fields", "nulls", "when it was made", "nothing"],
)
def test_an_event_in_older_and_newer_fields(data: dict[str, Any], count: int, last: str) -> None:
    found = event(**data)
    assert (found.kind, found.name, found.reason, found.count, found.last) == ("Pod", "web-1", "BackOff", count, last)


def test_an_event_is_one_line() -> None:
    assert str(event()) == "BackOff: back-off 5m0s"
    assert str(event(**OLD)) == "BackOff: back-off 5m0s (3 times)"
    assert str(Event.from_json({})) == ": "


def trouble(message: str = "ended 5 times", **more: Any) -> Trouble:
    return Trouble(kind="pod", name="web-1", reason="CrashLoopBackOff", message=message, hint="look", **more)


def test_a_trouble_with_its_last_words() -> None:
    assert str(trouble()) == "pod web-1: CrashLoopBackOff: ended 5 times"
    assert str(trouble(events=("BackOff: x",), log=("a", "b"))).splitlines()[1:] == [
        "  events:",
        "    BackOff: x",
        "  last log lines:",
        "    a",
        "    b",
    ]


def test_it_is_the_same_while_only_its_message_counts_up() -> None:
    assert trouble().key == trouble("ended 6 times").key
    assert trouble().key != Trouble(kind="pod", name="web-2", reason="CrashLoopBackOff", message="", hint="").key
