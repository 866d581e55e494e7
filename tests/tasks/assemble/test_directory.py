"""The finished bundle: its list of checksums, and the directory that is put in its place."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import FINAL, Workbench, bundled, make
from tests.fixtures.places import others_can


def test_the_bundle_checks_with_sha256sum(bench: Workbench) -> None:
    bundled(bench)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=bench.bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    listed = {line.split("  ")[1] for line in (bench.bundle / "SHA256SUMS").read_text().splitlines()}
    present = {str(path.relative_to(bench.bundle)) for path in bench.bundle.rglob("*") if path.is_file()}
    assert present - listed == {"SHA256SUMS"}


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_the_state_is_ours_alone_and_the_bundle_everybodys(tmp_path: Path, layout: str) -> None:
    """Whatever the umask: only what lies in the bundle too, by links, can be read by others, and no way leads there."""
    bench = make(tmp_path / "project", bundle={"archive": True, "layout": layout})
    before = os.umask(0)
    try:
        bundled(bench)
    finally:
        os.umask(before)
    state = bench.place / ".airgap"
    shared = re.compile(r"cache/blobs/sha256/[0-9a-f]+|work/[^/]+/[^/]+/(tree|saved)/.*[^/]")
    assert [path for path in others_can(state) if not shared.fullmatch(path)] == []
    assert "images/" in others_can(bench.bundle)
    assert not any(path.stat().st_mode & 0o004 == 0 for path in bench.bundle.rglob("*"))


def test_a_removed_image_leaves_bundle_and_lock(bench: Workbench) -> None:
    bundled(bench)
    images = bench.spec["images"]
    assert isinstance(images, list)
    images.pop()
    bench.write()
    assert bench.doit("bundle").steps == sorted([*FINAL, "layout"])
    assert len(list((bench.bundle / "images/blobs/sha256").iterdir())) == 4
    assert bench.doit("verify").code == 0


def remove(path: Path) -> None:
    path.unlink()


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def scribble(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"scribble")


@pytest.mark.parametrize("damage", [remove, touch, scribble])
@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "SHA256SUMS",
        "airgap.json",
        "images/index.json",
        "charts/app-1.0.0.tgz",
        "files/note.txt",
        "blob",
    ],
)
def test_a_damaged_output_is_remade(bench: Workbench, name: str, damage: object) -> None:
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    before = bundled(bench).files()
    path = bench.bundle / name if name != "blob" else max((bench.bundle / "images/blobs/sha256").iterdir())
    assert callable(damage)
    damage(path)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.out + ran.err
    assert bench.files() == before
    assert bench.doit("bundle").steps == []
    if damage is remove:
        assert ran.steps == ["directory"]
    else:
        assert not any(step.startswith("pin:") for step in ran.steps)


def test_a_removed_bundle_comes_back_from_the_cache(bench: Workbench) -> None:
    before = bundled(bench).files()
    shutil.rmtree(bench.bundle)
    shutil.rmtree(bench.place / "images/one/blobs")  # the source is not asked again
    assert bench.doit("bundle").steps == ["directory"]
    assert bench.files() == before


def change_and_set_the_time_back(path: Path) -> None:
    found = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))
    path.chmod(found.st_mode)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(
    ("archive", "layout", "before"),
    [
        (False, "oci", "save"),
        (False, "oci", "bundle"),
        (False, "docker-archive", "bundle"),
        (True, "oci", "bundle"),
        ("only", "oci", "save"),
        ("only", "docker-archive", "bundle"),
    ],
)
def test_a_blob_changed_in_the_cache_gets_into_no_bundle(
    tmp_path: Path, archive: object, layout: str, before: str
) -> None:
    """Also where its time was set back; what is wrong is named, and the next run fetches it anew."""
    bench = make(tmp_path / "project", bundle={"archive": archive, "layout": layout})
    assert bench.doit(before).code == 0
    if before == "bundle":  # another run has something to do: the blob is linked or packed again
        (bench.place / "more.txt").write_text("more")
        files = bench.spec["files"]
        assert isinstance(files, list)
        files.append({"name": "more.txt", "source": "more.txt"})
        bench.write()
    blob = max((bench.place / ".airgap/cache/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    good = blob.read_bytes()
    change_and_set_the_time_back(blob)
    ran = bench.doit("bundle")
    if layout == "oci" or archive == "only":
        assert ran.code == 1, ran.out
        assert blob.name in ran.err
        ran = bench.doit("bundle")
        assert blob.read_bytes() == good
    assert ran.code == 0, ran.err  # the image's own archive was written before, and is nobody's link
    assert bench.doit("verify").code == 0
