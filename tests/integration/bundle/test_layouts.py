"""What we write is read by the tools that sites already have: Docker Engine and skopeo."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest

from bundle.archive.archive import pack
from bundle.errors import StorageError
from bundle.images.docker_archive import write_image
from bundle.images.layout import LayoutImage, place_image, write_index
from bundle.images.local import open_local
from bundle.metadata.manifest import Layout
from bundle.oci.digest import Digest
from bundle.oci.locations import LocalImage
from bundle.storage.blob_store import BlobStore
from bundle.storage.tree import index_members
from bundle.storage.volume import Part, Volume
from tests.fixtures.images.images import Index
from tests.fixtures.images.layouts import fetched
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, make_bundle, stored
from tests.fixtures.parts.parts import Engine, Skopeo

LocalTransport = Literal["oci", "oci-archive", "docker-archive"]


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


@pytest.fixture
def bordered(store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image archive of which each member, however small, begins on a block's border."""
    monkeypatch.setattr("bundle.storage.tar_writer.ALIGNED", 1)
    write_image(tmp_path / "bordered.tar", stored(store, "api"), store, epoch=0)
    entries = index_members(Volume([Part(path=tmp_path / "bordered.tar")]))
    assert {member.offset % 4096 for member in entries.values() if member.kind == "file"} == {0}
    return tmp_path / "bordered.tar"


def test_engine_loads_members_on_block_borders(engine: Engine, bordered: Path) -> None:
    assert f"{PREFIX}/api:1.0" in engine.docker("load", stdin=bordered)
    assert engine.docker("inspect", "--format", "{{.Id}}", f"{PREFIX}/api:1.0").strip() == config_digest("api")


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_reads_members_on_block_borders(skopeo: Skopeo, bordered: Path, tmp_path: Path, transport: str) -> None:
    skopeo.copy(f"{transport}:{bordered}", f"dir:{tmp_path}/out")
    config = json.loads((tmp_path / "out/manifest.json").read_bytes())["config"]["digest"]
    assert str(config) == config_digest("api")
    if transport == "oci-archive":
        assert Digest.of((tmp_path / "out/manifest.json").read_bytes()) == CONTENT["api"].descriptor.digest


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


@pytest.mark.parametrize("layout_name", ["oci", "docker-archive"])
def test_the_commands_of_manifest_txt_work(engine: Engine, skopeo: Skopeo, tmp_path: Path, layout_name: Layout) -> None:
    """Each line is run as it stands; only the pushes are looked at instead, for want of that registry."""
    root = make_bundle(tmp_path, layout_name)
    text = (root / "manifest.txt").read_text()
    check, load, *copies = re.findall(r"^  ((?:sha256sum|tar|for|skopeo) .*)$", text, re.MULTILINE)
    for command in (check, load):
        subprocess.run(command, shell=True, cwd=root, env=engine.env, capture_output=True, check=True)
    for name in CONTENT:
        assert engine.docker("inspect", "--format", "{{.Id}}", f"{PREFIX}/{name}:1.0").strip() == config_digest(name)
    copied = {}
    for copy in copies:
        _, _, _, source, target = copy.split()
        name = target.removeprefix(f"docker://{PREFIX}/").removesuffix(":1.0")
        skopeo.copy(source.replace(":images", f":{root}/images", 1), f"dir:{tmp_path / name}", "--all")
        copied[name] = Digest.of((tmp_path / name / "manifest.json").read_bytes())
    oci = {name for name, each in CONTENT.items() if each.descriptor.media_type.startswith("application/vnd.oci.")}
    assert copied == {name: CONTENT[name].descriptor.digest for name in oci}


def test_a_loaded_image_runs_by_its_internal_name(engine: Engine, store: BlobStore, tmp_path: Path) -> None:
    write_image(tmp_path / "x.tar", stored(store, "api"), store, epoch=0)
    engine.docker("load", stdin=tmp_path / "x.tar")
    created = engine.docker("create", "--network", "none", f"{PREFIX}/api:1.0").strip()
    engine.docker("cp", f"{created}:/data/api", str(tmp_path / "copied"))
    assert (tmp_path / "copied").stat().st_size == 100


def fill(disk: Path, *, leave: int) -> None:
    """Take all room of a disk but a few blocks, too few for what comes next."""
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_frsize * (free.f_bavail - leave)))


def test_a_full_disk_leaves_the_last_archive(small_disk: Callable[[int], Path], tmp_path: Path) -> None:
    root = make_bundle(tmp_path)
    disk = small_disk(1)
    archive = disk / "demo-1.2.tar"
    pack(root, archive, epoch=0, split=5000)
    before = {path.name: path.read_bytes() for path in disk.iterdir()}
    fill(disk, leave=3)
    with pytest.raises(StorageError, match=r"(?s)can't write archive 'demo-1\.2\.tar'.*No space left.*next: free some"):
        pack(root, archive, epoch=0)
    (disk / "filler").unlink()
    assert {path.name: path.read_bytes() for path in disk.iterdir()} == before


def test_a_full_disk_leaves_the_last_image(small_disk: Callable[[int], Path], store: BlobStore) -> None:
    disk = small_disk(1)
    (disk / "api.tar").write_bytes(b"the last one")
    fill(disk, leave=3)
    with pytest.raises(StorageError, match=r"(?s)can't write image 'api': .*No space left"):
        write_image(disk / "api.tar", stored(store, "api"), store, epoch=0)
    assert {path.name for path in disk.iterdir()} == {"api.tar", "filler"}
    assert (disk / "api.tar").read_bytes() == b"the last one"
