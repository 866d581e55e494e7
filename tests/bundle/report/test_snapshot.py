"""A bundle as it was, from its papers."""

import json
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.report.snapshot import Held, Snapshot
from tests.fixtures.made.made_report import report_of

RECEIPT: dict[str, Any] = {
    "format": 1,
    "installed": "2026-01-01T00:00:00Z",
    "tool": "0.1.0",
    "releases": [],
    "bundle": {
        "name": "shop",
        "version": "2.0.0",
        "created": "2026-01-01T00:00:00Z",
        "platform": "linux/amd64",
        "id": "sha256:" + "0" * 64,
    },
    "images": [{"name": "api", "ref": "h.example:5000/shop/api:2.0.0", "digest": "sha256:" + "1" * 64, "blobs": {}}],
    "charts": [{"name": "shop", "version": "2.0.0", "sha256": "2" * 64}],
}


def test_papers_of_a_bundle() -> None:
    manifest = report_of(3).manifest
    for raw in (manifest.encode(), report_of(3).encode()):
        told = Snapshot.decode(raw, "m")
        assert (told.title, told.id, len(told.images), len(told.files or {})) == ("shop 2.1.0", str(manifest.id), 3, 1)
        assert told.images["api"].version == "2.1.0"
    told = Snapshot.decode(json.dumps(RECEIPT).encode(), "receipt.json")
    assert (told.title, told.images["api"], told.files) == (
        "shop 2.0.0", Held(version="2.0.0", digest="sha256:" + "1" * 64), None,
    )  # fmt: skip
    assert told.charts["shop"].digest == "sha256:" + "2" * 64


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"{", "is not JSON", id="no JSON"),
        pytest.param(b"[]", "tells of no bundle", id="a list"),
        pytest.param(b"{}", "has format None", id="something else"),
        pytest.param(b'{"manifest": 3}', "tells of no bundle", id="no manifest"),
        pytest.param(json.dumps({**RECEIPT, "images": [{}]}).encode(), "'name' is None", id="half a receipt"),
        pytest.param(json.dumps({**RECEIPT, "bundle": 3}).encode(), "'bundle' is 3", id="a wrong receipt"),
    ],
)
def test_what_is_no_paper_of_a_bundle(raw: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said) as raised:
        Snapshot.decode(raw, "x.json")
    assert "x.json" in str(raised.value)
    assert "name a bundle" in raised.value.hint
