"""What was fetched gets its name, and takes the place of nothing but a bundle of that name."""

import shutil
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.artifact import Artifact, ArtifactSource
from bundle.archive.landing import land_archive, land_directory
from bundle.errors import StorageError
from bundle.transfer.image import Manifest
from tests.fixtures.made.made_bundle import make_bundle


def staged(tmp_path: Path) -> tuple[Path, Artifact]:
    """Two parts and their list as they were fetched, and the artifact that they came as."""
    root, place = make_bundle(tmp_path / "made"), tmp_path / "staged"
    place.mkdir()
    path = pack(root, place / "demo-1.2.tar", epoch=0, split=9000).parts[0]
    source = ArtifactSource(path)
    return place, Artifact.of(Manifest.parse(source.manifest(source.resolve())), subject="demo")


def test_a_directory_replaces_one_of_its_name_only(tmp_path: Path) -> None:
    root = make_bundle(tmp_path / "made")
    for _ in range(2):
        assert land_directory(shutil.copytree(root, tmp_path / "staged"), tmp_path) == tmp_path / "demo-1.2"
    shutil.rmtree(tmp_path / "demo-1.2")
    (tmp_path / "demo-1.2").mkdir()
    with pytest.raises(StorageError, match="is not a bundle 'demo'"):
        land_directory(shutil.copytree(root, tmp_path / "staged"), tmp_path)


def test_parts_of_an_earlier_archive_go(tmp_path: Path) -> None:
    place, artifact = staged(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    assert land_archive(place, artifact, out) == out / "demo-1.2.tar.001"
    names = {path.name for path in out.iterdir()}
    (out / f"demo-1.2.tar.{len(names):03}").write_bytes(b"of an earlier one")
    shutil.copytree(out, place, dirs_exist_ok=True)
    (place / f"demo-1.2.tar.{len(names):03}").unlink()
    land_archive(place, artifact, out)
    assert {path.name for path in out.iterdir()} == names


def test_another_file_of_the_name_stays(tmp_path: Path) -> None:
    place, artifact = staged(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "demo-1.2.tar.001").write_text("years of work")
    with pytest.raises(StorageError, match="is not a bundle 'demo'"):
        land_archive(place, artifact, out)
    assert (out / "demo-1.2.tar.001").read_text() == "years of work"
