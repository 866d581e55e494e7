"""Where bundles grow, and what is cleared there and where they are put."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.storage.files import alone
from tasks.runtime.work_directory import sweep_out, sweep_work, work_directory
from tests.fixtures.benches.workbench import FINAL, Workbench, bundled, make


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def listed(bundle: Path) -> list[str]:
    return [line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()]


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
@pytest.mark.parametrize("bundle", [{}, {"archive": True}], ids=["directory", "archive"])
def test_out_holds_only_what_is_carried(tmp_path: Path, layout: str, bundle: dict[str, object]) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"layout": layout, **bundle}))
    archive = ["app-1.0.tar", "app-1.0.tar.sha256"] if bundle else []
    assert names(bench.dist) == ["app-1.0", *archive]
    stick = tmp_path / "stick"
    shutil.copytree(bench.dist, stick)
    carried = {str(path.relative_to(stick)) for path in stick.rglob("*") if path.is_file()}
    assert carried == {*(f"app-1.0/{name}" for name in listed(bench.bundle)), "app-1.0/SHA256SUMS", *archive}
    assert bench.doit("bundle").steps == []


def test_what_an_earlier_version_kept_beside_the_bundle_goes(bench: Workbench) -> None:
    old = bench.dist / ".work"
    for path in (
        old / "app-1.0/tree/images/x",
        old / "app-0.9/tree/manifest.json",
        bench.dist / ".app-1.0.tar.7-8-9.tmp",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"old")
    (bench.dist / ".app-1.0.9-9-9.tmp/images").mkdir(parents=True)
    bundled(bench)
    assert names(bench.dist) == ["app-1.0"]


def test_only_this_bundles_leavings_go_and_nothing_while_another_run_writes(tmp_path: Path) -> None:
    others = {".app-1.0.1.tar.1-2-3.tmp", ".app-1.0-since-0.9.1-2-3.tmp", ".mine.tmp", "app-1.0.tar"}
    ours = {".app-1.0.tar.001.1-2-3.tmp", ".app-1.0.tar.sha256.1-2-3.tmp", ".app-1.0.1-2-3.tmp"}
    for name in others | ours:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".work/fetch/store").mkdir(parents=True)
    (tmp_path / ".work/app-1.0").mkdir()
    with alone(tmp_path):
        sweep_out(tmp_path, "app-1.0")
        assert set(names(tmp_path)) == others | ours | {".work"}
    with (tmp_path / ".work/app-1.0/lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep_out(tmp_path, "app-1.0")
        assert names(tmp_path / ".work") == ["app-1.0", "fetch"]
    sweep_out(tmp_path, "app-1.0")
    assert set(names(tmp_path)) == others | {".work"}
    assert names(tmp_path / ".work") == ["fetch"]


def test_growing_bundles_go_when_nobody_has_the_finished_one(tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "dist"
    old = time.time() - 2 * 24 * 3600
    for name in ("ours", "finished", "packed", "gone", "fresh", "busy"):
        path = work_directory(state, out, name) / "lock"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        if name != "fresh":
            os.utime(path, (old, old))
    (out / "finished").mkdir(parents=True)
    (out / "packed.tar.sha256").write_bytes(b"")
    work = work_directory(state, out, "ours")
    with (work.with_name("busy") / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep_work(work, out)
        assert names(work.parent) == ["busy", "finished", "fresh", "ours", "packed"]
    sweep_work(work, out)
    assert names(work.parent) == ["finished", "fresh", "ours", "packed"]


def test_each_place_has_its_own(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert work_directory(state, tmp_path / "a", "x") != work_directory(state, tmp_path / "b", "x")
    assert work_directory(state, tmp_path / "a", "x").is_relative_to(state)


def test_out_on_another_file_system_gets_each_byte_once(bench: Workbench, other_file_system: Path) -> None:
    target = other_file_system / "dist"
    ran = bench.doit("bundle", f"out={target}")
    assert ran.code == 0, ran.out + ran.err
    assert names(target) == ["app-1.0"]
    blobs = {path: path.stat().st_ino for path in (target / "app-1.0/images/blobs").rglob("*") if path.is_file()}
    assert bench.doit("bundle", f"out={target}").steps == []
    (bench.place / "note.txt").write_text("read me again\n")
    assert bench.doit("lock", f"out={target}").code == 0
    assert bench.doit("bundle", f"out={target}").steps == sorted(["file:note.txt", *FINAL])
    assert {path: path.stat().st_ino for path in blobs} == blobs, "no blob was copied again"
    assert bench.doit("verify", f"bundle={target / 'app-1.0'}").code == 0
    damaged = max(blobs)
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    assert bench.doit("bundle", f"out={target}").code == 0
    assert bench.doit("verify", f"bundle={target / 'app-1.0'}").code == 0
    assert names(target) == ["app-1.0"]


@pytest.fixture
def other_file_system(tmp_path: Path) -> Iterator[Path]:
    """A directory that can't be linked to from `tmp_path`."""
    place = Path("/dev/shm") / f"airgap-{os.getpid()}-{tmp_path.name}"
    if not place.parent.is_dir() or place.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    place.mkdir()
    yield place
    shutil.rmtree(place)
