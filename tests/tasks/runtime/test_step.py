"""When a step runs, what it says of that, and what `doit clean` takes away."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundle.errors import EngineError
from clients.engine.names import EngineNames
from tasks.runtime.step import EngineUndo, Inputs, Step, UpToDate
from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.places import ROOT

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent.sock"}
MAKING = {
    "bundle", "chart", "checksum", "describe", "directory", "file", "layout", "manifest", "pack", "pin", "pull", "save",
    "sbom", "tag", "zipapp",
}  # fmt: skip


def test_list_info_clean_and_forget_tell_the_truth(bench: Workbench) -> None:
    def status() -> dict[str, str]:
        lines = bench.doit("list", "--all", "--status").out.splitlines()
        states = {words[1]: words[0] for words in (line.split() for line in lines)}
        return {name: state for name, state in states.items() if name.partition(":")[0] in MAKING}

    assert {name for name, state in status().items() if state != "R"} == {"pack"}, "nothing is to be packed"
    bundled(bench)
    assert set(status().values()) == {"U"}
    info = bench.doit("info", "save:one")
    assert (info.code, "up-to-date" in info.out) == (0, True)
    bench.doit("forget", "save:one")
    assert {name for name, state in status().items() if state == "R"} == {"save:one", "save"}
    assert "has not run yet" in bench.doit("info", "save:one").out
    assert bench.doit("bundle").steps == ["save:one"]
    files = sum(path.is_file() for path in bench.bundle.rglob("*"))
    assert bench.doit("clean", "--dry-run", "directory").out == f"would remove {files} files of 1 step\n"
    assert bench.bundle.exists()
    assert re.fullmatch(r"removed [1-9][0-9]+ files of [1-9][0-9]+ steps\n", bench.doit("clean").out)
    assert bench.doit("clean").out == "nothing to remove\n"
    assert not bench.bundle.exists()
    assert not (bench.place / ".airgap/cache/blobs").exists()
    assert (bench.place / "airgap.lock").exists()
    assert status()["save:one"] == "R"
    assert bundled(bench).doit("verify").code == 0


def test_steps_that_begin_at_once_load_what_they_share_by_one_thread() -> None:
    """urllib3 imports itself in a circle: threads that began at different ends got half of it."""
    program = (
        "import threading\nfrom tasks.runtime.step import Step\n"
        "failed = []\n"
        "names = ['clients.download', 'clients.charts.source', 'urllib3.util', 'docker', 'requests']\n"
        "gate = threading.Barrier(len(names))\n"
        "def begin(name):\n"
        "    gate.wait()\n"
        "    step = Step(base='x', doc='x', action=lambda: __import__(name), inputs=dict)\n"
        "    try: step._guarded()\n"
        "    except BaseException as err: failed.append(repr(err))\n"
        "threads = [threading.Thread(target=begin, args=(name,)) for name in names]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]\n"
        "print(failed)"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"version": "1"}, {"version": "2"}, "version changed: 1 -> 2"),
        ({"values": "hmac-sha256:0a"}, {"values": "hmac-sha256:0b"}, "values changed"),
        ({"tree": "/a/1", "at": "/a"}, {"tree": "/a/2", "at": "/b"}, "the bundle's place changed"),
        ({"revision": 1}, {"revision": 2}, "revision changed: 1 -> 2"),
        ({"a": {"b": False}}, {"a": {"b": True}}, "a changed"),
    ],
)
def test_a_reason_shows_what_people_can_read(old: Inputs, new: Inputs, told: str) -> None:
    step = Step(base="one", doc="", action=list, inputs=lambda: new)
    check = UpToDate(step)
    check(None, {"inputs": old})
    assert check.reason == told


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
    assert told == ["   load:one: no Docker Engine answers", "     next: start it"]
