"""What was done here, as a table and as JSON."""

import json
from pathlib import Path

import pytest

from bundle.errors import ReleaseError
from tasks.commands.installed.history import HistoryCommand
from tasks.site.records.history import begin, end, recorded
from tasks.site.records.last_receipt import keep_receipt
from tests.fixtures.benches.receiving import commanded, receiving, said
from tests.fixtures.made.published import faults
from tests.fixtures.made.receipts import RECEIPT


def test_all_targets_of_this_application(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    assert commanded(HistoryCommand, receiver, as_json=False) == 0
    assert said(receiver).startswith("nothing was installed yet")
    keep_receipt(receiver, RECEIPT)
    end(receiver, "failed", "preflight: the site is not ready\nand more")
    other = receiving(carried_bundle, tmp_path / "state", registry="other.example.com/x")
    begin(other)
    shop = tmp_path / "state/shop/elsewhere/history.jsonl"
    shop.parent.mkdir(parents=True)
    shop.write_text("{}\n")
    assert commanded(HistoryCommand, receiver, as_json=False) == 0
    _, head, *rows = said(receiver).splitlines()
    second, first = sorted(rows, key=lambda row: "failed" in row)
    assert head.split() == ["TIME", "APPLICATION", "WHAT", "VERSION", "RESULT", "WHO", "WHERE"]
    assert "downgrade  1.2 -> 1.0  failed: preflight: the site is not ready" in first
    assert first.endswith("registry.example.com/team")
    assert "not finished" in second


def test_for_machines(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    with pytest.raises(ReleaseError), recorded(receiver, "uninstall"):
        raise ReleaseError("denied")
    assert commanded(HistoryCommand, receiver, as_json=True) == 0
    assert faults("history", said(receiver)) == []
    (entry,) = json.loads(said(receiver))["history"]
    assert (entry["what"], entry["result"], entry["problem"]) == ("uninstall", "failed", "denied")
