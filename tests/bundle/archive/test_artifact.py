"""A bundle as an OCI artifact: what is in it, and what is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.archive.archive import pack
from bundle.archive.artifact import ARTIFACT, Artifact, ArtifactSource
from bundle.errors import SourceError
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.transfer.image import Manifest
from tests.fixtures.made.made_bundle import make_bundle


def artifact_of(path: Path) -> tuple[ArtifactSource, Artifact]:
    source = ArtifactSource(path)
    raw = source.manifest(source.resolve())
    return source, Artifact.of(Manifest.parse(raw), subject="x")


@pytest.mark.parametrize("form", ["directory", "archive", "parts", "parts without their list"])
def test_every_file_is_a_layer(tmp_path: Path, form: str) -> None:
    root = make_bundle(tmp_path)
    path = root
    if form != "directory":
        path = pack(root, tmp_path / "demo-1.2.tar", epoch=0, split=None if form == "archive" else 9000).parts[0]
    if form == "parts without their list":
        (tmp_path / "demo-1.2.tar.sha256").unlink()
    source, artifact = artifact_of(path)
    place = root if form == "directory" else tmp_path
    names = {file.name for file in artifact.files}
    expected = root.rglob("*") if form == "directory" else tmp_path.glob("demo-1.2.tar*")
    assert names == {str(each.relative_to(place)) for each in expected if each.is_file()}
    assert artifact.lies_in(place)
    assert (artifact.is_directory, bool(artifact.archive)) == (form == "directory", form != "directory")
    for file in artifact.files:
        assert b"".join(source.read(file.layer, 0)) == (place / file.name).read_bytes()
        assert b"".join(source.read(file.layer, 1)) == (place / file.name).read_bytes()[1:]
    assert {file.name for file in artifact.files if file.executable} == (
        {"files/helm"} if form == "directory" else set()
    )


def test_the_same_bundle_is_the_same_artifact(tmp_path: Path) -> None:
    one, two = (ArtifactSource(make_bundle(tmp_path / name)) for name in ("one", "two"))
    assert one.resolve() == two.resolve()
    assert json.loads(one.manifest(one.resolve()))["artifactType"] == ARTIFACT
    with pytest.raises(SourceError):
        one.manifest(two.resolve().__class__(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b""), size=0))


def test_what_lies_there_is_looked_at(tmp_path: Path) -> None:
    root = make_bundle(tmp_path)
    _, artifact = artifact_of(root)
    tool = root / "files/helm"
    tool.write_bytes(tool.read_bytes()[::-1])
    assert not artifact.lies_in(root)


def _layer(data: dict[str, Any], **changed: object) -> None:
    data["layers"][0] |= changed


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda data: _layer(data, annotations={}), "has no title", id="no title"),
        pytest.param(
            lambda data: _layer(data, annotations={"org.opencontainers.image.title": "/etc/x"}), "leads out", id="out"
        ),
        pytest.param(lambda data: data["layers"].append(data["layers"][0]), "two files named", id="twice"),
        pytest.param(lambda data: data["layers"].clear(), "neither SHA256SUMS nor an archive", id="nothing"),
        pytest.param(lambda data: data["config"].update(mediaType=media_types.OCI_CONFIG), "is an image", id="image"),
    ],
)
def test_what_is_no_bundle(tmp_path: Path, change: Callable[[dict[str, Any]], object], what: str) -> None:
    source = ArtifactSource(make_bundle(tmp_path))
    data = json.loads(source.manifest(source.resolve()))
    change(data)
    with pytest.raises(SourceError, match=what):
        Artifact.of(Manifest.parse(json.dumps(data).encode()), subject="x")
