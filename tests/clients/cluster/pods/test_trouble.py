"""Events as the API tells them, and lines that are fit for a terminal."""

import pytest

from clients.cluster.pods.trouble import Event, moment, plain


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
