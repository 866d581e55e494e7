"""Receipts that were brought back, by site."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bundle.metadata.received import last_received, receipts_of
from tests.fixtures.made.receipts import RECEIPT


def test_the_newest_of_the_application_counts(tmp_path: Path) -> None:
    older = replace(RECEIPT, version="1.1", installed=RECEIPT.installed - timedelta(days=3))
    shop = replace(RECEIPT, name="shop", installed=RECEIPT.installed + timedelta(days=3))
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod.json").write_bytes(older.encode())
    (tmp_path / "prod/demo.json").write_bytes(RECEIPT.encode())
    (tmp_path / "prod/shop.json").write_bytes(shop.encode())
    (tmp_path / "prod/notes.json").write_text("{}")
    assert [each.name for _, each in receipts_of(tmp_path, "prod")] == ["demo", "demo", "shop"]
    assert last_received(tmp_path, "prod", "demo") == tmp_path / "prod/demo.json"
    assert last_received(tmp_path, "prod", "other") is None
    assert last_received(tmp_path, "test", "demo") is None
