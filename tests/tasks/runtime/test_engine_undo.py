"""What `doit clean` takes back on a Docker Engine, and that it can be told without asking one."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundle.errors import EngineError
from clients.engine.names import EngineNames
from tasks.runtime.engine_undo import EngineUndo

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent.sock"}


def undo(state: Path, told: list[str]) -> EngineUndo:
    return EngineUndo("load:one", state, env=NOWHERE, say=told.append)


def test_without_a_state_nobody_is_asked(tmp_path: Path) -> None:
    told: list[str] = []
    found = undo(tmp_path / "engine.json", told)
    assert found.made() == ()
    found.remove()
    assert told == []


def test_a_state_that_can_not_be_read_tells_no_names(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "engine.json").write_text("{")
    assert undo(tmp_path / "engine.json", told).made() == ()


def test_what_is_removed_or_stays_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine.json").write_text(json.dumps({}))
    told: list[str] = []

    def removed(self: EngineNames, step: str) -> Sequence[str]:
        assert step == "load:one"
        return ["removed r.x/one:1", "stays: r.x/two:1"]

    monkeypatch.setattr(EngineNames, "remove", removed)
    undo(tmp_path / "engine.json", told).remove()
    assert told == ["   removed r.x/one:1", "   stays: r.x/two:1"]


def test_an_engine_that_is_away_is_said_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine.json").write_text(json.dumps({}))
    told: list[str] = []

    def away(self: EngineNames, step: str) -> Sequence[str]:
        raise EngineError("no Docker Engine answers", hint="start it")

    monkeypatch.setattr(EngineNames, "remove", away)
    undo(tmp_path / "engine.json", told).remove()
    assert told == ["   load:one: no Docker Engine answers\n  next: start it"]
