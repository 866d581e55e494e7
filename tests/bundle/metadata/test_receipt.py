import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.metadata.receipt import Receipt, ReceivedChart, ReceivedImage, ReceivedRelease
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference

RECEIPT = Receipt(
    tool="0.1.0",
    installed=datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC),
    name="demo",
    version="1.2",
    id=Digest.of(b"content"),
    created=datetime(2026, 2, 27, 16, 0, 0, tzinfo=UTC),
    platform=Platform.parse("linux/amd64"),
    images=(
        ReceivedImage(
            name="api",
            reference=Reference.parse("registry.example.com/team/api:1.0"),
            digest=Digest.of(b"manifest"),
            blobs={Digest.of(b"config"): 6, Digest.of(b"layer"): 5},
        ),
    ),
    charts=(ReceivedChart(name="web", version="1.0.0", digest=Digest.of(b"chart")),),
    releases=(ReceivedRelease(name="web", namespace="shop", revision=3, chart="web-1.0.0"),),
)


def test_it_round_trips() -> None:
    assert Receipt.decode(RECEIPT.encode()) == RECEIPT
    assert json.loads(RECEIPT.encode()) == RECEIPT.to_dict()


def test_for_all_platforms() -> None:
    data = {**RECEIPT.to_dict(), "bundle": {**RECEIPT.to_dict()["bundle"], "platform": "all"}}
    assert Receipt.from_dict(data).platform is None
    assert Receipt.from_dict(data).to_dict() == data


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(
            lambda data: data | {"format": 9}, "receipt.json has format 9, this program reads format 1", id="format"
        ),
        pytest.param(lambda data: data | {"format": True}, "has format True", id="format is no number"),
        pytest.param(lambda data: data | {"bundle": []}, r"'bundle' is \[\], expected dict", id="no bundle"),
        pytest.param(lambda data: data | {"images": [7]}, "'images' has an item that is not an object", id="no image"),
        pytest.param(lambda data: data | {"images": [{"name": "a"}]}, "'ref' is None, expected str", id="no name"),
        pytest.param(lambda data: data | {"installed": "today"}, "expected a time", id="time"),
    ],
)
def test_what_is_not_well_formed_is_refused(change: Callable[[dict[str, Any]], dict[str, Any]], what: str) -> None:
    with pytest.raises(FormatError, match=what):
        Receipt.from_dict(change(RECEIPT.to_dict()))


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff"])
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError, match=r"receipt\.json is not"):
        Receipt.decode(raw)
