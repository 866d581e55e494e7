"""One run at a time works on one bundle."""

import os
import subprocess
from pathlib import Path

from bundle.storage.run_lock import sweep_state
from tests.fixtures.benches.workbench import Workbench


def test_two_runs_at_once(bench: Workbench) -> None:
    runs = [bench.start("bundle") for _ in range(2)]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert bench.doit("verify").code == 0
    assert bench.doit("bundle").steps == []


def left(place: Path, name: str, process: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    path = place / f".{name}.{process}-140220-7.tmp"
    path.write_text("half")
    return path


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as ended:
        pass
    return ended.pid


def test_what_killed_writes_left_in_a_state_is_removed(tmp_path: Path) -> None:
    blobs = tmp_path / "cache" / "blobs" / "sha256"
    dead = [left(tmp_path, "receipt.json", gone()), left(blobs, "0a1b", gone())]
    kept = [left(tmp_path, "receipt.json", os.getpid()), blobs / "0a1b", tmp_path / ".note.tmp"]
    for path in kept[1:]:
        path.write_text("whole")
    sweep_state(tmp_path)
    assert not any(path.exists() for path in dead)
    assert all(path.exists() for path in kept), "others may be writing there"


def test_both_halves_sweep_their_state(bench: Workbench) -> None:
    state = bench.place / ".airgap"
    dead = [left(state, "validated", gone()), left(state / "cache" / "blobs" / "sha256", "0a1b", gone())]
    assert bench.doit("bundle").code == 0
    assert not any(path.exists() for path in dead)
