"""Receipts that were brought back: `receipts/SITE.json`, or `receipts/SITE/` where a site has several applications."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bundle.errors import FormatError, storage_errors
from bundle.metadata.receipt import Receipt

RECEIPTS = "receipts"


def receipts_of(place: Path, site: str) -> Iterator[tuple[Path, Receipt]]:
    """A site's receipts below `place`, oldest first; what is no receipt is passed over."""
    paths = [place / f"{site}.json", *sorted((place / site).glob("*.json"))]
    found = []
    for path in paths:
        with contextlib.suppress(FormatError), storage_errors("read the receipt", path):
            if path.is_file():
                found.append((path, Receipt.decode(path.read_bytes())))
    yield from sorted(found, key=lambda each: each[1].installed)


def last_received(place: Path, site: str, name: str) -> Path | None:
    """The newest receipt of a site for the application of this name; None where there is none."""
    return next((path for path, receipt in reversed([*receipts_of(place, site)]) if receipt.name == name), None)
