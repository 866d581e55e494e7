"""Bundles on the file systems that people have: what is written to the device, and that the bytes are the same."""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make, write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.file_systems import REFLINKS, SHARING, FileSystem, file_system
from tests.fixtures.parts.parts import PartError

MB = 1_000_000
OWN, SHARED = 40 * MB, 80 * MB
PAYLOAD = {"oci": SHARED + 2 * OWN, "docker-archive": 2 * SHARED + 2 * OWN}
LAYOUTS = tuple(PAYLOAD)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images that share a layer, as projects link to them."""
    place = tmp_path_factory.mktemp("sources")
    base = layer("shared", SHARED, compressed=False)
    for name in ("one", "two"):
        made = image(base, layer(f"own {name}", OWN, compressed=False))
        write_layout(place / name, made, f"example.com/{name}:1.0")
    return place


@pytest.fixture
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileSystem]:
    with ExitStack() as stack:
        try:
            found = stack.enter_context(file_system(request.param, tmp_path / "disk"))
        except PartError as err:
            pytest.skip(str(err))
        yield found


def project(place: Path, sources: Path, **bundle: object) -> Workbench:
    bench = make(place, bundle=bundle)
    bench.env["SOURCE_DATE_EPOCH"] = "1700000000"
    images = bench.spec["images"]
    assert isinstance(images, list)
    for entry in images:
        entry["source"] = f"oci:{sources / entry['name']}"
    bench.write()
    return bench


def beside(disk: FileSystem, place: Path, **bundle: object) -> int:
    """The bytes that a bundle with next to no images costs on this file system, journals and all."""
    small = make(place, bundle=bundle)
    run(small, disk, "pull", at="small")
    before = disk.written()
    run(small, disk, "bundle", at="small")
    return disk.written() - before


def run(bench: Workbench, disk: FileSystem, *words: str, at: str = "") -> list[str]:
    """One run whose cache and bundle lie on the file system, below `at`."""
    place = disk.place / at
    ran = bench.doit(*words, f"state={place / 'state'}", f"out={place / 'dist'}")
    assert ran.code == 0, ran.out + ran.err
    return ran.steps


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mounted", SHARING, indirect=True)
def test_each_byte_is_written_once_or_not_at_all(
    mounted: FileSystem, sources: Path, tmp_path: Path, layout: str
) -> None:
    """What goes to the device beside the cache, for an archive alone and for its next version."""
    bench = project(tmp_path / "project", sources, archive="only", layout=layout)
    little = beside(mounted, tmp_path / "small", archive="only", layout=layout)
    run(bench, mounted, "pull")
    before = mounted.written()
    run(bench, mounted, "bundle")
    written = mounted.written() - before - little
    archive = mounted.place / "dist/app-1.0.tar"
    size = archive.stat().st_size
    assert size > PAYLOAD[layout]
    if mounted.kind in REFLINKS:
        assert written <= 0.02 * PAYLOAD[layout]
    else:
        assert 0.99 * PAYLOAD[layout] < written <= 1.02 * PAYLOAD[layout]
    before = mounted.written()
    assert run(bench, mounted, "bundle") == []
    assert mounted.written() - before < 0.002 * PAYLOAD[layout]
    if mounted.kind in REFLINKS:
        (bench.place / "note.txt").write_text("another\n")
        run(bench, mounted, "lock")
        before = mounted.written()
        assert "pack" in run(bench, mounted, "bundle")
        assert mounted.written() - before - little <= 0.02 * PAYLOAD[layout]
    verified = bench.doit("verify", f"bundle={archive}", f"state={mounted.place / 'state'}")
    assert verified.code == 0, verified.out + verified.err


@pytest.mark.slow
@pytest.mark.parametrize("mounted", sorted(REFLINKS), indirect=True)
def test_with_a_directory_beside_it_nothing_is_written_twice(
    mounted: FileSystem, sources: Path, tmp_path: Path
) -> None:
    """The images' own archives, the directory and the parts all share the cache's blocks."""
    bench = project(tmp_path / "project", sources, layout="docker-archive", split="100MB")
    little = beside(mounted, tmp_path / "small", layout="docker-archive", split="100MB")
    run(bench, mounted, "pull")
    before = mounted.written()
    run(bench, mounted, "bundle")
    assert mounted.written() - before - little <= 0.02 * PAYLOAD["docker-archive"]
    check = ["sha256sum", "--status", "-c", "app-1.0.tar.sha256"]
    assert subprocess.run(check, cwd=mounted.place / "dist", check=False).returncode == 0


@pytest.mark.slow
def test_the_archive_is_the_same_on_each(sources: Path, tmp_path: Path) -> None:
    """Shared blocks or copied ones, with links or without, from a cache beside it or elsewhere: the same bytes."""
    digests = {}
    for kind in (*SHARING, "exfat"):
        with ExitStack() as stack:
            try:
                disk = stack.enter_context(file_system(kind, tmp_path / kind))
            except PartError as err:
                pytest.skip(str(err))
            bench = project(tmp_path / f"project-{kind}", sources, archive="only", layout="docker-archive")
            state = tmp_path / "state" if kind == "exfat" else disk.place / "state"
            where = (f"state={state}", f"out={disk.place / 'dist'}")
            ran = bench.doit("bundle", *where)
            assert ran.code == 0, ran.out + ran.err
            assert bench.doit("bundle", *where).steps == []
            made = {path.name: path for path in (disk.place / "dist").iterdir()}
            assert sorted(made) == ["app-1.0.tar", "app-1.0.tar.sha256"]
            with made["app-1.0.tar"].open("rb") as file:
                digests[kind] = hashlib.file_digest(file, "sha256").hexdigest()
    assert len(set(digests.values())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mounted", ["exfat"], indirect=True)
def test_all_of_it_on_exfat(mounted: FileSystem, sources: Path, tmp_path: Path, layout: str) -> None:
    """No links, no modes: the cache, the growing bundle and a directory beside the archive."""
    bench = project(tmp_path / "project", sources, archive=True, layout=layout)
    run(bench, mounted, "bundle")
    assert run(bench, mounted, "bundle") == []
    for name in ("app-1.0", "app-1.0.tar"):
        verified = bench.doit("verify", f"bundle={mounted.place / 'dist' / name}", f"state={tmp_path / 'far'}")
        assert verified.code == 0, verified.out + verified.err
