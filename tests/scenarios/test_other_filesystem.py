"""A bundle on another file system than the cache: each blob is written there once, and then never again."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.places import ROOT

IMAGES = [f"i{number}" for number in range(8)]  # all on one base layer
OTHER = Path("/dev/shm")


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    if not OTHER.is_dir() or OTHER.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system: /dev/shm is none")
    with tempfile.TemporaryDirectory(dir=OTHER) as place:
        yield Path(place)


def test_each_blob_is_written_once_and_the_next_run_writes_nothing(tmp_path: Path, stick: Path) -> None:
    bench = make(tmp_path / "project", images=IMAGES)
    first, seen = bench.watched("bundle", f"out={stick}")
    assert first.code == 0, first.out + first.err
    blobs = [path for path in (stick / "app-1.0" / "images" / "blobs" / "sha256").iterdir() if path.is_file()]
    assert len(blobs) == 1 + 3 * len(IMAGES)
    for blob in blobs:
        copies = [event for event in seen if event.startswith(f"write {stick}") and blob.name in event]
        assert len(copies) == 1, f"{blob.name} was written {len(copies)} times"
    for _ in range(2):
        again, seen = bench.watched("bundle", f"out={stick}")
        assert (again.code, again.steps) == (0, [])
        assert seen == []
    for blob in blobs:
        places = {path.stat().st_ino for path in stick.rglob(blob.name)}
        assert places == {blob.stat().st_ino}, "what grows and what is finished share their bytes there"


# flock(2) fails below a directory, as on an NFS mount without its lock service.
WITHOUT_LOCKS = """
import errno, fcntl, os, runpy, sys
real, below = fcntl.flock, sys.argv.pop(1)
def flock(handle, how):
    if os.readlink(f"/proc/self/fd/{handle}").startswith(below):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    return real(handle, how)
fcntl.flock = flock
sys.argv[0] = "doit"
runpy.run_module("doit", run_name="__main__", alter_sys=True)
"""


def test_a_file_system_without_locks_is_told_with_what_to_do(bench: Workbench, tmp_path: Path) -> None:
    """And what is said is done: with out= and state= elsewhere the same command works."""

    def bundle(*words: str) -> "subprocess.CompletedProcess[str]":
        given, env = bench.command("bundle", *words)
        argv = [sys.executable, "-c", WITHOUT_LOCKS, str(bench.place), *given]
        return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)

    refused = bundle()
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert f"{bench.place}/.airgap/" in refused.stderr
    assert "No locks available" in refused.stderr
    hint = "  next: this file system has no file locks: choose a place on a local disk with out=DIR or state=DIR"
    assert hint in refused.stderr
    done = bundle(f"out={tmp_path / 'local'}", f"state={tmp_path / 'state'}")
    assert done.returncode == 0, done.stderr
