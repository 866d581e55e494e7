"""The bundle as one archive or in parts, beside its directory or instead of it."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundle.archive.parts import FAT32_MOST
from schema.syntax.notation import parse_size
from tests.fixtures.benches.workbench import Workbench, bundled, make, write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.places import ROOT

LAYOUTS = ("oci", "docker-archive")
DATE = {"SOURCE_DATE_EPOCH": "1700000000"}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def growing(directory: Path) -> bool:
    """Whether an archive is being written there that has no name yet."""
    return any(path.name.startswith(".app-1.0.tar.") and ".sha256." not in path.name for path in directory.iterdir())


def alone(place: Path, layout: str = "oci", **more: object) -> Workbench:
    """A project whose bundle is an archive and nothing else."""
    bench = make(place, bundle={"archive": "only", "layout": layout, **more})
    bench.env.update(DATE)
    return bench


def test_split_writes_parts_that_join_and_check(tmp_path: Path) -> None:
    bench = bundled(make(tmp_path / "project", bundle={"split": "20KB"}))
    parts = sorted(path.name for path in bench.dist.glob("*.tar.0*"))
    assert parts == [f"app-1.0.tar.{number:03d}" for number in range(1, len(parts) + 1)]
    assert len(parts) > 2
    done = subprocess.run(
        ["sha256sum", "-c", "app-1.0.tar.sha256"], cwd=bench.dist, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    listing = subprocess.run(
        "cat app-1.0.tar.0* | tar -tf -", shell=True, cwd=bench.dist, capture_output=True, text=True, check=False
    )
    assert "app-1.0/SHA256SUMS" in listing.stdout
    again = bench.doit("bundle")
    assert again.steps == []
    (bench.dist / parts[1]).unlink()
    assert bench.doit("bundle").steps == ["pack"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("split", [None, "1500kB"])
def test_an_archive_alone_is_the_one_beside_a_directory(tmp_path: Path, layout: str, split: str | None) -> None:
    more = {"split": split} if split else {}
    both = make(tmp_path / "both", bundle={"archive": True, "layout": layout, **more})
    both.env.update(DATE)
    bundled(both)
    bench = bundled(alone(tmp_path / "alone", layout, **more))
    assert bench.files() == {name: data for name, data in both.files().items() if not name.startswith("app-1.0/")}
    assert "app-1.0" not in names(bench.dist)
    ran, seen = bench.watched("bundle")
    assert (ran.code, ran.steps, seen) == (0, [], [])
    small = [path for path in (bench.place / ".airgap/work").rglob("*") if path.is_file()]
    assert not [path for path in small if "blobs" in path.parts or path.suffix == ".tar"], "no image lies there"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_changed_image_rewrites_only_the_archive(tmp_path: Path, layout: str) -> None:
    bench = bundled(alone(tmp_path / "project", layout))
    cached = {path: path.stat().st_mtime_ns for path in (bench.place / ".airgap/cache/blobs").rglob("*")}
    before = bench.files()
    write_layout(bench.place / "images/one", image(layer("base", 20_000), layer("new", 6_000)), "example.com/one:1.0")
    assert bench.doit("lock", "one").code == 0
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    assert "pack" in ran.steps
    assert not [step for step in ran.steps if step.endswith(":two")]
    assert names(bench.dist) == ["app-1.0.tar", "app-1.0.tar.sha256"]
    assert bench.files() != before
    assert all(path.stat().st_mtime_ns == time for path, time in cached.items() if path.is_file())
    assert bench.doit("verify").code == 0
    assert bench.doit("bundle").steps == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_a_directory_to_an_archive_alone_and_back(tmp_path: Path, layout: str) -> None:
    bench = make(tmp_path / "project", bundle={"archive": True, "layout": layout})
    bench.env.update(DATE)
    before = bundled(bench).files()
    bundle = bench.spec["bundle"]
    assert isinstance(bundle, dict)
    bundle["archive"] = "only"
    bench.write()
    assert "pull:one" not in bench.doit("bundle").steps
    assert bench.files() == {name: data for name, data in before.items() if not name.startswith("app-1.0/")}
    bundle["archive"] = True
    bench.write()
    assert "pull:one" not in bench.doit("bundle").steps
    assert bench.files() == before
    assert bench.doit("bundle").steps == []


def test_a_lost_archive_is_written_again_from_the_cache(tmp_path: Path) -> None:
    bench = bundled(alone(tmp_path / "project", "docker-archive"))
    before = bench.files()
    shutil.rmtree(bench.place / "images/one/blobs")  # the source is not asked again
    (bench.dist / "app-1.0.tar").unlink()
    assert bench.doit("bundle").steps == ["pack"]
    assert bench.files() == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_blob_that_was_changed_in_the_cache_does_not_cross(tmp_path: Path, layout: str) -> None:
    bench = bundled(alone(tmp_path / "project", layout))
    before = bench.files()
    blob = max((bench.place / ".airgap/cache/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.write(b"scribble")
    (bench.dist / "app-1.0.tar").unlink()
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    assert [step for step in ran.steps if step.startswith("pull:")], "it was fetched anew"
    assert bench.files() == before


def test_every_reader_takes_an_archive_alone(tmp_path: Path) -> None:
    """Verify, plan, report and a delta find it without being told where it is."""
    bench = bundled(alone(tmp_path / "project", "docker-archive", split="1500kB"))
    verified = bench.doit("verify")
    assert verified.code == 0, verified.out + verified.err
    assert "app-1.0.tar" in verified.out
    assert bench.doit("plan", "bundle").code == 0
    planned = bench.doit("plan", "install")
    assert "there is no bundle" not in planned.out + planned.err
    assert bench.doit("report").code == 0
    assert (bench.dist / "app-1.0.report.html").is_file()
    bundle = bench.spec["bundle"]
    assert isinstance(bundle, dict)
    bundle["version"] = "2.0"
    bench.write()
    archive = bench.dist / "app-1.0.tar.001"
    ran = bench.doit("bundle", f"since={archive}")
    assert ran.code == 0, ran.out + ran.err
    assert "left out" in ran.out
    delta = bench.dist / "app-2.0-since-1.0.tar.001"
    assert bench.doit("verify", f"bundle={delta}", f"since={archive}").code == 0
    bundled(bench)
    told = bench.doit("report")
    assert told.code == 0
    assert "nothing, since app 1.0" in told.out
    missing = bench.doit("bundle", f"since={bench.dist / 'none.tar'}")
    assert missing.code == 3
    assert "none.tar" in missing.err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_killed_while_it_is_written_the_last_one_stays(tmp_path: Path, layout: str) -> None:
    bench = alone(tmp_path / "project", layout)
    big = layer("big", 40_000_000)
    write_layout(bench.place / "images/one", image(layer("base", 20_000), big), "example.com/one:1.0")
    bundled(bench)
    wanted = {name: os.stat(bench.dist / name).st_size for name in names(bench.dist)}
    sums = (bench.dist / "app-1.0.tar.sha256").read_bytes()
    killed = 0
    while killed < 3:
        bench.env["SOURCE_DATE_EPOCH"] = str(int(bench.env["SOURCE_DATE_EPOCH"]) + 1)
        with bench.start("bundle") as process:
            until = time.monotonic() + 60
            while not growing(bench.dist) and process.poll() is None:
                assert time.monotonic() < until
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            stopped_early = growing(bench.dist)  # else all was written before the signal came: once more
            process.send_signal(signal.SIGKILL if stopped_early else signal.SIGCONT)
        assert process.returncode == (-signal.SIGKILL if stopped_early else 0)
        if not stopped_early:
            sums = (bench.dist / "app-1.0.tar.sha256").read_bytes()
            continue
        killed += 1
        assert {name: os.stat(bench.dist / name).st_size for name in wanted} == wanted
        assert (bench.dist / "app-1.0.tar.sha256").read_bytes() == sums
        checked = subprocess.run(["sha256sum", "--status", "-c", "app-1.0.tar.sha256"], cwd=bench.dist, check=False)
        assert checked.returncode == 0
    ran = bench.doit("bundle")
    assert (ran.code, [step for step in ran.steps if step.startswith("pull:")]) == (0, [])
    assert names(bench.dist) == ["app-1.0.tar", "app-1.0.tar.sha256"]
    assert bench.doit("verify").code == 0


def test_what_the_spec_may_say(tmp_path: Path) -> None:
    bench = alone(tmp_path / "project")
    bundle = bench.spec["bundle"]
    assert isinstance(bundle, dict)
    bundle["archive"] = "alone"
    bench.write()
    refused = bench.doit("bundle")
    assert refused.code == 3
    assert "only" in refused.err
    resolved = json.loads(bundled(alone(tmp_path / "other")).work.joinpath("tree/airgap.json").read_text())
    assert resolved["bundle"]["archive"] is True, "the bundle is the same with a directory beside it"


SPLITS = re.compile(r"split[`:]?[: ]+(?:to )?([0-9.]+[KMGT]?i?B)")


def test_every_split_that_we_name_fits_fat32() -> None:
    pages = [ROOT / "README.md", ROOT / "airgap.yaml", ROOT / "bundle" / "errors.py", *(ROOT / "docs").glob("*.md")]
    named = {text for page in pages for text in SPLITS.findall(page.read_text())}
    assert "4095MiB" in named
    assert [text for text in named if parse_size(text) > FAT32_MOST] == []


@pytest.mark.parametrize(("split", "warned"), [("4GiB", True), ("4095MiB", False), ("5GiB", False)])
def test_parts_one_byte_too_large_for_fat32_are_told(tmp_path: Path, split: str, warned: bool) -> None:
    bench = make(tmp_path / "project", bundle={"split": split})
    ran = bench.doit("bundle")
    assert ran.code == 0
    assert ("one byte too large for FAT32" in ran.out) == warned
    assert ("set bundle.split to 4095MiB" in ran.out) == warned


def test_a_file_system_for_smaller_files_than_the_parts(tmp_path: Path) -> None:
    """FAT32 in small: a limit for all files of one byte less than a part."""
    bench = make(tmp_path / "project", bundle={"split": "16MiB"})
    for name in ("one", "two"):
        (bench.place / name).write_bytes(random.Random(name).randbytes(14_000_000))
    bench.spec["files"] = [{"name": name, "source": name} for name in ("one", "two")]
    bench.write()
    words, env = bench.command("bundle")
    argv = ["prlimit", f"--fsize={16 * 1024**2 - 1}", sys.executable, "-m", "doit", *words]
    failed = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "File too large" in failed.stderr
    assert "next: the file system holds no file of this size: set bundle.split to less than it holds" in failed.stderr
    bench.spec["bundle"] = {"name": "app", "version": "1.0", "split": "16383KiB"}
    bench.write()
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
