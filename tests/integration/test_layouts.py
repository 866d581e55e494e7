"""What we write is read by the tools that sites already have: Docker Engine and skopeo."""

import json
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from bundle.descriptor import Descriptor
from bundle.digest import Digest
from bundle.docker_archive import write_image
from bundle.image import ImageSource
from bundle.layout import LayoutImage, is_manifest, place_image, reachable, write_index
from bundle.local_source import open_local
from bundle.locations import LocalImage
from bundle.reference import Reference
from bundle.store import BlobStore
from tests.integration.images import AMD64, ARM64, Image, Index, image, index, layer
from tests.integration.parts import Engine, Skopeo

LocalTransport = Literal["oci", "oci-archive", "docker-archive"]
PREFIX = "internal-registry.example.com:5000/team"
SHARED = layer("shared", 3000)
CONTENT: dict[str, Image | Index] = {
    "api": image(SHARED, layer("api", 100)),
    "plain": image(layer("plain", 50, compressed=False)),
    "docker": image(SHARED, layer("docker", 70), docker=True),
    "multi": index(image(layer("arm", 60), platform=ARM64), image(layer("amd", 60), platform=AMD64)),
}


def stored(store: BlobStore, name: str) -> LayoutImage:
    """Put one of the images into the store, as a pull does."""
    content = CONTENT[name]
    for each in content.images if isinstance(content, Index) else (content,):
        for data in (*each.blobs.values(), each.raw):
            store.put(data)
    store.put(content.raw)
    return LayoutImage(name=name, reference=Reference.parse(f"{PREFIX}/{name}:1.0"), root=content.descriptor)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


def layout(store: BlobStore, place: Path, names: Sequence[str]) -> list[LayoutImage]:
    images = [stored(store, name) for name in names]
    for each in images:
        place_image(place, each, store)
    write_index(place, images)
    return images


def config_digest(name: str) -> str:
    """What Docker shows as the image's Id: the config's digest, of linux/amd64 where there are several platforms."""
    content = CONTENT[name]
    chosen = content.images[-1] if isinstance(content, Index) else content
    return str(json.loads(chosen.raw)["config"]["digest"])


def load_directory(engine: Engine, place: Path) -> str:
    """Load a layout through tar, as manifest.txt tells operators to."""
    tar = subprocess.run(["tar", "-C", str(place), "-cf", "-", "."], capture_output=True, check=True).stdout
    return engine.docker("load", stdin=tar)


def test_engine_loads_every_image_of_a_layout(engine: Engine, store: BlobStore, tmp_path: Path) -> None:
    layout(store, tmp_path / "images", list(CONTENT))
    said = load_directory(engine, tmp_path / "images")
    for name in CONTENT:
        reference = f"{PREFIX}/{name}:1.0"
        assert reference in said
        assert engine.docker("inspect", "--format", "{{.Id}}", reference).strip() == config_digest(name)


@pytest.mark.parametrize("name", CONTENT)
def test_engine_loads_an_image_archive(engine: Engine, store: BlobStore, tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "x.tar", stored(store, name), store, epoch=0)
    assert f"{PREFIX}/{name}:1.0" in engine.docker("load", stdin=tmp_path / "x.tar")
    assert engine.docker("inspect", "--format", "{{.Id}}", f"{PREFIX}/{name}:1.0").strip() == config_digest(name)


@pytest.mark.parametrize("name", ["api", "plain", "multi"])
@pytest.mark.parametrize("transport", ["oci", "oci-archive"])
def test_skopeo_sees_the_same_digest(
    skopeo: Skopeo, store: BlobStore, tmp_path: Path, name: str, transport: str
) -> None:
    if transport == "oci":
        layout(store, tmp_path / "images", list(CONTENT))
        source = f"oci:{tmp_path}/images:{PREFIX}/{name}:1.0"
    else:
        write_image(tmp_path / "x.tar", stored(store, name), store, epoch=0)
        source = f"oci-archive:{tmp_path}/x.tar"
    raw = skopeo.run("inspect", "--raw", source)
    assert Digest.of(raw.encode()) == CONTENT[name].descriptor.digest
    skopeo.copy(source, f"dir:{tmp_path}/out", "--all")
    assert Digest.of((tmp_path / "out/manifest.json").read_bytes()) == CONTENT[name].descriptor.digest


@pytest.mark.parametrize("name", CONTENT)
def test_skopeo_reads_an_image_archive_as_docker_archive(
    skopeo: Skopeo, store: BlobStore, tmp_path: Path, name: str
) -> None:
    write_image(tmp_path / "x.tar", stored(store, name), store, epoch=0)
    shown = skopeo.run("inspect", "--config", "--raw", f"docker-archive:{tmp_path}/x.tar:{PREFIX}/{name}:1.0")
    assert str(Digest.of(shown.encode())) == config_digest(name)


def fetched(source: ImageSource, store: BlobStore) -> Descriptor:
    """Take a whole image from a source into the store, everything verified on the way."""
    root = source.resolve()
    for each in reachable(root, source.manifest):
        if is_manifest(each):
            store.put(source.manifest(each))
        else:
            store.fetch(each, partial(source.read, each), subject="image")
    return root


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive"])
def test_we_read_what_we_write(store: BlobStore, tmp_path: Path, name: str, transport: LocalTransport) -> None:
    if transport == "oci":
        layout(store, tmp_path / "images", list(CONTENT))
        location = LocalImage(transport="oci", path=tmp_path / "images", ref=f"{PREFIX}/{name}:1.0")
    else:
        write_image(tmp_path / "x.tar", stored(store, name), store, epoch=0)
        location = LocalImage(transport=transport, path=tmp_path / "x.tar")
    root = fetched(open_local(location, subject="image"), BlobStore(tmp_path / "other"))
    assert root == CONTENT[name].descriptor


def test_we_read_what_docker_saves(engine: Engine, store: BlobStore, tmp_path: Path) -> None:
    layout(store, tmp_path / "images", list(CONTENT))
    load_directory(engine, tmp_path / "images")
    engine.docker("save", "--output", str(tmp_path / "saved.tar"), *(f"{PREFIX}/{name}:1.0" for name in CONTENT))
    for name in CONTENT:
        location = LocalImage(transport="docker-archive", path=tmp_path / "saved.tar", ref=f"{PREFIX}/{name}:1.0")
        other = BlobStore(tmp_path / "other")
        root = fetched(open_local(location, subject="image"), other)
        assert str(json.loads(other.get(root.digest) or b"")["config"]["digest"]) == config_digest(name)


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive"])
def test_we_read_what_skopeo_writes(
    skopeo: Skopeo, store: BlobStore, tmp_path: Path, transport: LocalTransport
) -> None:
    layout(store, tmp_path / "images", ["api"])
    target = f"{transport}:{tmp_path}/copy:{'example.com/' if transport == 'docker-archive' else ''}api:1"
    skopeo.copy(f"oci:{tmp_path}/images", target)
    source = open_local(LocalImage(transport=transport, path=tmp_path / "copy"), subject="image")
    root = fetched(source, BlobStore(tmp_path / "other"))
    if transport != "docker-archive":  # there skopeo writes layers uncompressed, and no manifest
        assert root == CONTENT["api"].descriptor
    assert json.loads(source.manifest(root))["config"]["digest"] == config_digest("api")
