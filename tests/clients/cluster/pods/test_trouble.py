"""Events as the API tells them, and lines that are fit for a terminal."""

from typing import Any

import pytest

from clients.cluster.pods.trouble import Event, Trouble, moment, plain


def test_an_event_of_the_older_kind() -> None:
    found = Event.from_json(
        {
            "involvedObject": {"kind": "Pod", "name": "web-1", "uid": "7", "fieldPath": "spec.initContainers{wait}"},
            "type": "Warning",
            "reason": "Unhealthy",
            "message": "Readiness probe\n failed",
            "count": 3,
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:31Z",
        }
    )
    assert (found.uid, found.container, found.count, found.lasted) == ("7", "wait", 3, 31.0)
    assert str(found) == "Unhealthy: Readiness probe failed (3 times)"


def test_an_event_of_the_newer_kind() -> None:
    found = Event.from_json(
        {
            "involvedObject": {"kind": "Pod", "name": "web-1"},
            "eventTime": "2026-01-01T00:00:00.500000Z",
            "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:02.500000Z"},
        }
    )
    assert (found.uid, found.container, found.count, found.lasted) == ("", "", 2, 2.0)


def test_an_event_without_times() -> None:
    assert Event.from_json({}).lasted == 0.0
    assert moment("yesterday") is None
    assert moment("2026-01-01T00:00:00") is None, "without a zone it can't be compared"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("a\tb\n c", "a b c", id="spaces"),
        pytest.param("\x1b[2J\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b]0;title\x07text", "text", id="title"),
        pytest.param("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", id="link"),
        pytest.param("over\rwritten\x08", "over written", id="carriage"),
        pytest.param("\u202egnp.exe", "gnp.exe", id="turned round"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_a_line_is_plain(said: object, shown: str) -> None:
    assert plain(said) == shown


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
    about: dict[str, Any] = {"reason": "CrashLoopBackOff", "cause": "crash", "hint": "look"}
    return Trouble(kind="pod", name="web-1", message=message, **about | more)


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
    assert trouble().key != trouble(cause="pull").key
