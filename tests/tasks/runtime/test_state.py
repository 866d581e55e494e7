"""doit's memory: every success is kept at once, whatever kills the run."""

import json
import os
from pathlib import Path

import pytest
from doit.dependency import Dependency, JSONCodec

from tasks.runtime.state import JournalDB, JournalPlaces, Journals, StatChecker


def journal(path: Path) -> JournalDB:
    return JournalDB(str(path), JSONCodec())


def succeed(db: JournalDB, task: str, **values: object) -> None:
    """What doit does when a task has succeeded."""
    db.set(task, "_values_:", values)
    db.set(task, "checker:", "StatChecker")
    db.set(task, "deps:", ())


def test_a_success_is_kept_without_the_end_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal"
    succeed(journal(path), "a", x=1)
    again = journal(path)
    assert again.get("a", "_values_:") == {"x": 1}
    assert again.in_("a")
    assert not again.in_("b")


def test_the_last_word_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    db = journal(path)
    succeed(db, "a", x=1)
    succeed(db, "b", x=1)
    succeed(db, "a", x=2)
    db.remove("b")
    again = journal(path)
    assert again.get("a", "_values_:") == {"x": 2}
    assert not again.in_("b")


def test_a_half_written_line_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    succeed(journal(path), "a", x=1)
    with path.open("ab") as file:
        file.write(b'["b", {"_values_:"')
    db = journal(path)
    assert db.in_("a")
    assert not db.in_("b")
    succeed(db, "c", x=3)
    assert journal(path).get("c", "_values_:") == {"x": 3}


def test_nothing_to_note_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    db = journal(path)
    succeed(db, "group")
    db.remove("never there")
    db.dump()
    assert not path.exists()


def test_remove_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    db = journal(path)
    succeed(db, "a", x=1)
    db.remove_all()
    assert not journal(path).in_("a")


def test_a_stale_journal_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    db = journal(path)
    for number in range(100):
        succeed(db, "a", x=number)
    db.dump()
    lines = path.read_text().splitlines()
    assert [json.loads(line)[1]["_values_:"] for line in lines] == [{"x": 99}]


def test_ignored_tasks_stay_ignored(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    manager = Dependency(JournalDB, str(path), checker_cls=StatChecker)

    class Task:
        name = "a"

    manager.ignore(Task())
    manager.close()
    assert journal(path).get("a", "ignore:") == "1"


@pytest.mark.parametrize("change", ["content", "time", "inode"])
def test_checker_sees_changes(tmp_path: Path, change: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    checker = StatChecker()
    state = json.loads(json.dumps(checker.get_state(str(path), None)))
    assert not checker.check_modified(str(path), path.stat(), state)
    if change == "content":
        path.write_bytes(b"other")
    elif change == "time":
        path.touch()
        os.utime(path, ns=(1, 1))
    else:
        other = tmp_path / "other"
        other.write_bytes(b"one")
        other.replace(path)
    assert checker.check_modified(str(path), path.stat(), state)


def test_the_end_of_a_run_puts_names_and_journal_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt, say, of an installation: its bytes were synced as it was written."""
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino) or fsync(handle))
    made = tmp_path / "made" / "deep" / "receipt.json"
    made.parent.mkdir(parents=True)
    db = journal(tmp_path / "state" / "journal")
    succeed(db, "receipt", outputs={str(made): [1, 2, 3]}, inputs={})
    assert synced == [], "not for every step"
    db.dump()
    places = (made.parent, made.parent.parent, tmp_path, tmp_path / "state", tmp_path / "state" / "journal")
    assert {path.stat().st_ino for path in places} <= set(synced)
    assert synced[-1] == (tmp_path / "state" / "journal").stat().st_ino
    assert len(synced) == len(set(synced)), "each directory once"
    synced.clear()
    db.dump()
    assert synced == []


def test_an_installation_has_a_journal_of_its_own(tmp_path: Path) -> None:
    asked: list[Path] = []

    def at(target: str) -> Journals:
        def installed() -> Path:
            asked.append(tmp_path / target / "doit.journal")
            return asked[-1]

        return Journals(JournalPlaces(tmp_path / "doit.journal", installed, {"push", "verify"}), JSONCodec())

    first = at("a")
    succeed(first, "pin:one", x=1)
    assert asked == [], "what is made here does not ask what the target is"
    succeed(first, "push:one", x=1)
    second = at("b")
    assert second.in_("pin:one")
    assert not second.in_("push:one")
    succeed(second, "push:one", x=2)
    second.dump()
    assert at("a").get("push:one", "_values_:") == {"x": 1}
    at("a").remove_all()
    assert not at("a").in_("pin:one")
    assert not at("a").in_("push:one")
    assert at("b").get("push:one", "_values_:") == {"x": 2}


def test_one_journal_may_be_named_for_all(tmp_path: Path) -> None:
    succeed(Journals(str(tmp_path / "j"), JSONCodec()), "push:one", x=1)
    assert journal(tmp_path / "j").get("push:one", "_values_:") == {"x": 1}
