"""The receipt of one application on one target, and the newest of all."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.metadata.receipt import Receipt
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import keep_receipt, last_receipt, newest_path, receipt_path
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.made.receipts import RECEIPT as MADE


def test_two_targets_have_a_receipt_each(carried_bundle: Path, tmp_path: Path) -> None:
    one = receiving(carried_bundle, tmp_path / "state")
    other = receiving(carried_bundle, tmp_path / "state", registry="other.example.com/team")
    assert last_receipt(one) is None
    keep_receipt(one, MADE)
    assert last_receipt(one) == (receipt_path(one), MADE)
    assert last_receipt(other) is None
    later = replace(MADE, version="9.0")
    keep_receipt(other, later)
    assert last_receipt(one) == (receipt_path(one), MADE)
    assert Receipt.decode(newest_path(one).read_bytes()) == later
    keep_receipt(one, MADE)
    assert Receipt.decode(newest_path(one).read_bytes()) == MADE
    assert receipt_path(one).parent.stat().st_mode & 0o777 == 0o700


def test_a_file_system_without_links_gets_a_copy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "symlink_to", refused)
    keep_receipt(receiver, MADE)
    assert not newest_path(receiver).is_symlink()
    assert newest_path(receiver).read_bytes() == MADE.encode()


def test_what_can_not_be_read_is_none(receiver: Receiver) -> None:
    keep_receipt(receiver, MADE)
    receipt_path(receiver).write_text("{}")
    assert last_receipt(receiver) is None
