"""What was done to an installation, by whom, and with what result."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import FormatError, ReleaseError
from tasks.site.receiver import Receiver
from tasks.site.records import history
from tasks.site.records.history import (
    HistoryEntry,
    all_histories,
    begin,
    end,
    history_path,
    note_run,
    read_history,
    recorded,
)
from tasks.site.records.last_receipt import keep_receipt
from tests.fixtures.benches.receiving import ENV, receiving
from tests.fixtures.made.receipts import RECEIPT


def entries(receiver: Receiver) -> list[HistoryEntry]:
    return list(read_history(history_path(receiver)))


def test_an_install_is_one_entry_as_it_ended(receiver: Receiver) -> None:
    begin(receiver)
    (begun,) = entries(receiver)
    assert (begun.what, begun.result, begun.before) == ("install", "begun", "")
    keep_receipt(receiver, RECEIPT)
    end(receiver, "done")
    (entry,) = entries(receiver)
    assert (entry.what, entry.result, entry.time) == ("install", "done", begun.time)
    assert (entry.name, entry.version) == ("app", "1.0")
    assert entry.sums == str(receiver.carried.bundle.sums_digest)
    assert (entry.target, entry.registry) == (receiver.target.name, "registry.example.com/team")
    assert [each["name"] for each in entry.releases] == ["web"]
    assert HistoryEntry.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry
    assert history_path(receiver).stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in history_path(receiver).read_text()


@pytest.mark.parametrize(("version", "what"), [("0.9", "upgrade"), ("2.0", "downgrade")])
def test_what_was_there_before_says_which_it_is(receiver: Receiver, version: str, what: str) -> None:
    keep_receipt(receiver, replace(RECEIPT, version=version))
    begin(receiver)
    (entry,) = entries(receiver)
    assert (entry.what, entry.before) == (what, version)


def test_a_killed_run_stays_begun(carried_bundle: Path, tmp_path: Path) -> None:
    first, later = (receiving(carried_bundle, tmp_path / "state") for _ in range(2))
    begin(first)
    begin(later)
    end(later, "done")
    assert [each.result for each in entries(first)] == ["begun", "done"]


@pytest.mark.parametrize("cut", [b'{"half', b'{"half\n', b"{}\n", b"\xff\n"])
def test_a_line_that_was_cut_off_hides_no_other(receiver: Receiver, cut: bytes) -> None:
    end(receiver, "failed", "push:one: disk full")
    with history_path(receiver).open("ab") as file:
        file.write(cut)
    with recorded(receiver, "uninstall"):
        pass
    assert [(each.what, each.result) for each in entries(receiver)][-1] == ("uninstall", "done")
    raw = history_path(receiver).read_bytes()
    assert raw.endswith(b"\n")
    assert sum(b'"uninstall"' in line for line in raw.splitlines()) == 2


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(FormatError, match=r"history.jsonl: 'dance' with result 'done' is not known"):
        HistoryEntry.from_dict({"what": "dance", "result": "done"})


def test_failures_and_ends_from_outside(receiver: Receiver) -> None:
    with pytest.raises(ReleaseError), recorded(receiver, "rollback"):
        raise ReleaseError("release 'app': denied")
    (entry,) = entries(receiver)
    assert (entry.what, entry.result, entry.problem) == ("rollback", "failed", "release 'app': denied")
    with pytest.raises(KeyboardInterrupt), recorded(receiver, "rollback"):
        raise KeyboardInterrupt
    assert entries(receiver)[-1].result == "stopped"


def test_only_runs_that_change_something_are_noted(receiver: Receiver) -> None:
    assert note_run(receiver, ["verify"], "done") is None
    assert entries(receiver) == []
    assert note_run(receiver, ["install"], "failed", "preflight: not ready")
    begin(receiver)
    assert note_run(receiver, ["helm:app"], "done")
    assert [each.problem for each in entries(receiver)] == [""]


def test_a_history_that_can_not_be_written_fails_no_install(receiver: Receiver) -> None:
    history_path(receiver).mkdir(parents=True)
    assert end(receiver, "done") is None


def test_all_of_one_machine_in_their_order(
    carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = receiving(carried_bundle, tmp_path / "state")
    other = receiving(carried_bundle, tmp_path / "state", registry="other.example.com/x")
    for number, receiver in enumerate((other, one, other)):
        now = RECEIPT.created.replace(hour=number)
        monkeypatch.setattr(history, "_now", lambda now=now: now)
        receiver.run = str(number)
        end(receiver, "done")
    found = list(all_histories(tmp_path / "state"))
    assert [each.run for each in found] == ["0", "1", "2"]
    assert [each.registry for each in found] == [
        "other.example.com/x",
        "registry.example.com/team",
        "other.example.com/x",
    ]


def test_who_it_was(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {**ENV, "SUDO_USER": "alice"}
    receiver = receiving(carried_bundle, tmp_path / "state", env=env)
    end(receiver, "done")
    assert entries(receiver)[0].who.startswith("alice (as ")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
    receiver.run = "other"
    receiver.project.env = {}
    end(receiver, "done")
    assert entries(receiver)[1].who.startswith("user 4000001@")
