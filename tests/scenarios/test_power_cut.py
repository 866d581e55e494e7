"""After a power cut, all that a run reported as done is on the disk.

No device is cut off here: what a run hands to fsync is recorded. A file counts as kept when it was synced under
whichever name, a directory when it was synced after it last changed. What was not is what a disk may lose.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.storage.marks import SECOND
from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.places import ROOT

RECORDED = """
import os, runpy, sys, time
log = open(os.environ["SYNCED"], "a")
fsync = os.fsync
def recorded(handle):
    number = handle if isinstance(handle, int) else handle.fileno()
    found = os.fstat(number)
    fsync(number)
    log.write(f"{found.st_dev} {found.st_ino} {found.st_mtime_ns}\\n")
    log.flush()
os.fsync = recorded
sys.argv = ["doit", *sys.argv[1:]]
runpy.run_module("doit", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(params=[{}, {"layout": "docker-archive"}, {"archive": True}, {"split": "20KB"}, {"archive": "only"}])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Workbench:
    return make(tmp_path / "project", bundle=request.param)


def synced(bench: Workbench, *words: str) -> dict[tuple[int, int], int]:
    """What a run hands to fsync: by device and inode, the modification time (ns) that it had then."""
    log = bench.place / "synced.log"
    words, env = bench.command(*words)  # type: ignore[assignment]
    argv = [sys.executable, "-c", RECORDED, *words]
    done = subprocess.run(argv, cwd=ROOT, env={**env, "SYNCED": str(log)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [tuple(map(int, line.split())) for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return {(device, inode): changed for device, inode, changed in lines}


def lost(known: dict[tuple[int, int], int], paths: Iterator[Path]) -> list[str]:
    """What a power cut may take of these."""
    found = []
    for path in paths:
        stat = path.stat()
        changed = known.get((stat.st_dev, stat.st_ino))
        if changed is None or (path.is_dir() and changed != stat.st_mtime_ns):
            found.append(f"{path}{'/' * path.is_dir()}")
    return found


def reported(bench: Workbench) -> Iterator[Path]:
    """What a run says it made, and what remembers that."""
    yield from (path for path in (bench.dist, *bench.dist.rglob("*")) if ".work" not in path.parts)
    yield bench.place / "airgap.lock"
    yield bench.place / ".airgap" / "doit.journal"
    yield bench.place / ".airgap"


def test_nothing_of_a_finished_bundle_can_be_lost(bench: Workbench) -> None:
    known = synced(bench, "bundle")
    assert lost(known, reported(bench)) == []
    assert synced(bench, "bundle") == {}, "a run with nothing to do has nothing to sync"
    (bench.place / "more.txt").write_text("more\n")
    bench.write({**bench.spec, "files": [{"name": name, "source": name} for name in ("note.txt", "more.txt")]})
    assert lost(known | synced(bench, "bundle"), reported(bench)) == []


@pytest.mark.parametrize(("bundle", "lasting"), [({}, True), ({"archive": True}, True), ({"archive": "only"}, False)])
def test_layers_are_synced_in_the_cache_where_a_bundle_links_them(
    tmp_path: Path, bundle: dict[str, object], lasting: bool
) -> None:
    """An archive has bytes of its own: a blob that was not synced has a mark that holds until the next boot."""
    bench = make(tmp_path / "project", bundle=bundle, size=5_000)
    assert bench.doit("bundle").code == 0
    sources = (bench.place / "images").rglob("blobs/sha256/*")
    names = {path.name for path in sources if path.stat().st_size >= 5_000}
    marks = [(bench.place / ".airgap/cache/blobs/sha256" / name).stat().st_mtime_ns for name in names]
    assert [mark % SECOND == 0 for mark in marks] == [lasting] * 3


def test_the_record_tells_what_is_not_synced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    assert lost({}, iter([path])) == [str(path)]
    stat = path.stat()
    assert lost({(stat.st_dev, stat.st_ino): 0}, iter([path])) == []
    where = tmp_path.stat()
    assert lost({(where.st_dev, where.st_ino): where.st_mtime_ns}, iter([tmp_path])) == []
    os.utime(tmp_path, ns=(1, 1))
    assert lost({(where.st_dev, where.st_ino): where.st_mtime_ns}, iter([tmp_path])) == [f"{tmp_path}/"]
