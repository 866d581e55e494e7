"""Members of a JSON object from outside: exactly what they must be, or an error with the key."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.formats.fields import Fields, require_unique, time_text
from bundle.oci.digest import Digest

SHA = "ab" * 32


def fields(**data: Any) -> Fields:
    return Fields(data=data, subject="x.json")


@pytest.mark.parametrize(
    ("read", "value", "given"),
    [
        (lambda f: f.text("k"), "a", "a"),
        (lambda f: f.texts("k"), ["a", ""], ("a", "")),
        (lambda f: f.size("k"), 0, 0),
        (lambda f: f.path("k"), "a/b", "a/b"),
        (lambda f: f.digest("k"), f"sha256:{SHA}", Digest.parse(f"sha256:{SHA}")),
        (lambda f: f.sha256("k"), SHA, Digest.parse(f"sha256:{SHA}")),
        (lambda f: f.time("k"), "2026-01-31T12:00:01Z", datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)),
        (lambda f: f.object("k").text("a"), {"a": "b"}, "b"),
        (lambda f: [each.text("a") for each in f.objects("k")], [{"a": "b"}, {"a": "c"}], ["b", "c"]),
        (lambda f: f.each("k", len), [{}, {"a": 1}], (0, 1)),
        (lambda f: f.sizes("k"), {f"sha256:{SHA}": 5}, {Digest.parse(f"sha256:{SHA}"): 5}),
        (lambda f: f.typed("k", bool), True, True),
    ],
)
def test_what_is_right_is_given(read: Callable[[Fields], Any], value: Any, given: Any) -> None:
    assert read(fields(k=value)) == given


@pytest.mark.parametrize(
    ("read", "value", "told"),
    [
        (lambda f: f.text("k"), 1, "'k' is 1, expected str"),
        (lambda f: f.text("other"), "a", "'other' is None, expected str"),
        (lambda f: f.typed("k", int), True, "'k' is True, expected int"),
        (lambda f: f.typed("k", bool), 1, "'k' is 1, expected bool"),
        (lambda f: f.texts("k"), ["a", 1], "'k' has an item that is not text"),
        (lambda f: f.size("k"), -1, "'k' is -1, expected a number of bytes"),
        (lambda f: f.size("k"), 1.0, "'k' is 1.0, expected int"),
        (lambda f: f.path("k"), "../a", "leads out"),
        (lambda f: f.path("k"), "/a", "leads out"),
        (lambda f: f.digest("k"), SHA, "not a digest"),
        (lambda f: f.sha256("k"), "ab", "not a digest"),
        (lambda f: f.time("k"), "2026-01-31 12:00", "expected a time as 2026-01-31T12:00:00Z"),
        (lambda f: f.object("k"), [], r"'k' is \[\], expected dict"),
        (lambda f: f.objects("k"), [{}, 1], "'k' has an item that is not an object"),
        (lambda f: f.sizes("k"), {"sha256:x": 5}, "not a digest"),
        (lambda f: f.sizes("k"), {f"sha256:{SHA}": "5"}, "expected int"),
    ],
)
def test_what_is_wrong_is_named(read: Callable[[Fields], Any], value: Any, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        read(fields(k=value))


def test_a_file_is_one_object() -> None:
    assert "a" in Fields.decode(b'{"a": 1}', "x.json")
    assert "b" not in Fields.decode(b'{"a": 1}', "x.json")
    with pytest.raises(FormatError, match=r"x\.json is not a JSON object"):
        Fields.decode(b"[]", "x.json")


def test_a_time_is_written_in_utc_and_read_again() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 1, 999, tzinfo=timezone(timedelta(hours=1)))
    assert time_text(moment) == "2026-01-31T12:00:01Z"
    assert fields(k=time_text(moment)).time("k") == moment.replace(microsecond=0)


def test_names_come_once() -> None:
    require_unique("x.json", "images", ["a", "b", "A"])
    with pytest.raises(FormatError, match=r"x\.json has two images 'b'"):
        require_unique("x.json", "images", ["a", "b", "b", "c"])
