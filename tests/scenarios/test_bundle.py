"""`doit bundle` as a user runs it: what it makes, what it reruns, what it keeps when it fails."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled, make

EVERY = [
    "chart:app", "checksum", "describe", "directory", "file:note.txt", "layout", "manifest",
    "pin:one", "pin:two", "pull:one", "pull:two", "save:one", "save:two", "sbom:one", "sbom:two", "tag:one", "tag:two",
    "zipapp",
]  # fmt: skip


def test_the_first_run_does_every_step_and_the_second_nothing(bench: Workbench) -> None:
    first = bench.doit("bundle")
    assert (first.code, first.steps) == (0, EVERY)
    assert "bundle app 1.0: 2 images, 1 chart, 1 file" in first.out
    assert f"next: doit verify bundle={bench.bundle}" in first.out
    second = bench.doit("bundle")
    assert (second.code, second.steps) == (0, [])
    assert "nothing to do: bundle app 1.0 is up to date (2 images, 1 chart, 1 file)" in second.out


def test_a_run_with_nothing_to_do_writes_and_connects_nothing(bench: Workbench) -> None:
    _, first = bench.watched("bundle")
    assert [event for event in first if event.startswith(("write", "os.link"))], "the watch sees what a real run does"
    ran, seen = bundled(bench).watched("bundle")
    assert ran.code == 0
    assert seen == []


@pytest.mark.parametrize(
    "bundle",
    [{}, {"layout": "docker-archive"}, {"archive": True}, {"split": "20KB"}],
    ids=["directory", "docker-archive", "archive", "split"],
)
def test_same_lock_and_date_give_the_same_bytes(tmp_path: Path, bundle: dict[str, object]) -> None:
    benches = [make(tmp_path / name / "project", bundle=bundle) for name in ("a", "b")]
    for bench in benches:
        bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
        bundled(bench)
    first, second = (bench.files() for bench in benches)
    assert first == second
    assert json.loads(first["app-1.0/manifest.json"])["created"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    "bundle", [{"split": "20KB"}, {"layout": "docker-archive"}], ids=["oci, split", "docker-archive"]
)
def test_killed_at_any_time_the_next_run_goes_on(tmp_path: Path, bundle: dict[str, object]) -> None:
    bench = make(tmp_path / "project", images=[f"i{number}" for number in range(12)], bundle=bundle)
    for delay in (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
        run = bench.start("bundle")
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if bench.bundle.exists():
            assert bench.doit("verify", f"bundle={bench.bundle}").code == 0, "what is there is whole"
    bundled(bench)
    assert bench.doit("verify").code == 0
    assert list(bench.dist.rglob(".*.tmp")) == []


def test_a_read_only_spec_folder(bench: Workbench, tmp_path: Path) -> None:
    bench.doit("lock")
    if os.geteuid() == 0:
        done = subprocess.run(
            ["mount", "--bind", "-o", "ro", bench.place, bench.place], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"a read-only mount is not possible here: {done.stderr}")
    else:
        bench.place.chmod(0o555)
    try:
        refused = bench.doit("bundle", f"out={tmp_path / 'out'}")
        assert refused.code == 1
        assert "Read-only file system" in refused.err or "Permission denied" in refused.err
        assert "state=DIR" in refused.err
        ran = bench.doit("bundle", f"out={tmp_path / 'out'}", f"state={tmp_path / 'state'}")
        assert ran.code == 0, ran.err
        assert (tmp_path / "out/app-1.0/SHA256SUMS").exists()
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", bench.place], check=True)
        else:
            bench.place.chmod(0o755)
