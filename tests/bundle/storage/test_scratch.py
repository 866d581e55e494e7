"""Directories for one job: private, gone afterwards, and not outliving a killed process by more than a run."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bundle.errors import StorageError
from bundle.storage import scratch
from bundle.storage.scratch import scratch_directory, temporary_place
from tests.fixtures.places import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from bundle.storage.scratch import scratch_directory
with scratch_directory(Path(sys.argv[1]), "job-") as place:
    (place / "big").write_bytes(bytes(1000))
    print(place, flush=True)
    time.sleep(60)
"""


def held(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(parent)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_it_is_private_and_gone_whatever_happens(tmp_path: Path, error: type[BaseException]) -> None:
    def work(place: Path) -> None:
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "deep").mkdir()
        (place / "deep" / "file").write_text("x")
        raise error

    with pytest.raises(error), scratch_directory(tmp_path, "job-") as place:
        work(place)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    process, place = held(tmp_path)
    with process, scratch_directory(tmp_path, "job-"):
        assert (place / "big").exists(), "a living process keeps its own"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (place / "big").exists(), "nobody could remove it"
    with scratch_directory(tmp_path, "job-") as own:
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []


def test_one_of_another_container_is_known_by_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There its process has a number that nobody has here."""
    process, place = held(tmp_path)
    monkeypatch.setattr(scratch.os, "kill", nobody)
    with process:
        with scratch_directory(tmp_path, "job-"):
            assert (place / "big").exists()
        monkeypatch.undo()
        process.kill()


def nobody(number: int, _: int) -> None:
    raise ProcessLookupError(number)


def test_a_link_that_another_account_could_put_there_leads_to_no_removal(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("x")
    parent = tmp_path / "shared"
    parent.mkdir()
    (parent / f"job-{ended.pid}-abc").symlink_to(mine)
    with scratch_directory(parent, "job-"):
        pass
    assert (mine / "file").read_text() == "x"


def test_other_names_and_kinds_are_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    kept = {f"job-{os.getpid()}-a", "job-x-b", f"other-{ended.pid}-c"}
    for name in kept | {f"job-{ended.pid}-d"}:
        (tmp_path / name).mkdir()
    with scratch_directory(tmp_path, "job-") as place:
        assert {path.name for path in tmp_path.iterdir()} == {place.name, *kept}


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="can't make a private directory"),
        scratch_directory(tmp_path / "no", "job-"),
    ):
        pytest.fail("made")


@pytest.mark.parametrize("owner", ["9" * 40, "²", "٣", "0x1", ""])
def test_a_number_that_no_process_has(tmp_path: Path, owner: str) -> None:
    """Whatever others name their files: nothing breaks."""
    (tmp_path / f"airgap-x-{owner}-a").mkdir()
    with scratch_directory(tmp_path, "airgap-x-") as place:
        assert place.is_dir()


def test_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with pytest.raises(StorageError, match="no place for temporary files") as caught:
        temporary_place()
    assert "TMPDIR=DIR" in caught.value.hint
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert temporary_place() == tmp_path
