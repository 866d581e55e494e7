"""What manifest.json says of a delta."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.metadata.delta import BaseName, Delta
from bundle.oci.digest import Digest

BASE = BaseName(
    kind="receipt", name="demo", version="1.1", id=Digest.of(b"x"), time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
)
DELTA = Delta(base=BASE, blobs={Digest.of(b"b"): ("r.test/b", "r.test/a"), Digest.of(b"a"): ()})


def test_it_round_trips() -> None:
    assert Delta.from_dict(DELTA.to_dict()) == DELTA
    assert BaseName.from_dict(BASE.to_dict()) == BASE


def test_blobs_are_written_in_one_order_and_places_in_theirs() -> None:
    turned = Delta(base=BASE, blobs=dict(reversed(DELTA.blobs.items())))
    assert list(turned.to_dict()["blobs"]) == list(DELTA.to_dict()["blobs"]) == sorted(DELTA.to_dict()["blobs"])
    assert DELTA.to_dict()["blobs"][str(Digest.of(b"b"))] == ["r.test/b", "r.test/a"]


def test_people_read_which_papers_they_are() -> None:
    assert str(BASE) == f"the receipt of demo 1.1 (2026-01-02T03:04:05Z, id {str(Digest.of(b'x'))[:19]})"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "rumour"}, "'kind' is 'rumour', expected one of receipt, manifest"),
        ({"kind": None}, "'kind' is None"),
        ({"id": "1"}, "not a digest"),
        ({"time": "now"}, "expected a time"),
        ({"name": 1}, "'name' is 1"),
    ],
)
def test_a_base_that_is_none(change: dict[str, Any], told: str) -> None:
    with pytest.raises(FormatError, match=told):
        Delta.from_dict({**DELTA.to_dict(), "base": {**BASE.to_dict(), **change}})


@pytest.mark.parametrize("blobs", [None, [], {"x": []}, {str(Digest.of(b"a")): "r.test/a"}])
def test_blobs_that_are_none(blobs: object) -> None:
    with pytest.raises(FormatError):
        Delta.from_dict({**DELTA.to_dict(), "blobs": blobs})
