import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.metadata.receipt import LeftOver, Receipt, ReceivedSecret
from tests.fixtures.made.receipts import RECEIPT


def test_it_round_trips() -> None:
    assert Receipt.decode(RECEIPT.encode()) == RECEIPT
    assert json.loads(RECEIPT.encode()) == RECEIPT.to_dict()


def test_of_an_earlier_release() -> None:
    data = RECEIPT.to_dict()
    assert data["bundle"].pop("sums") == str(RECEIPT.sums)
    assert Receipt.from_dict(data).sums is None
    assert Receipt.from_dict(data).to_dict() == data


def test_what_is_left_over_round_trips() -> None:
    secret = ReceivedSecret(name="db", namespace="shop", generated=True)
    receipt = replace(RECEIPT, secrets=(secret,), left_over=LeftOver(releases=RECEIPT.releases, secrets=(secret,)))
    assert Receipt.decode(receipt.encode()) == receipt
    assert {"secrets", "left_over"} & RECEIPT.to_dict().keys() == set(), "what there is none of is left out"
    assert not LeftOver()


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
