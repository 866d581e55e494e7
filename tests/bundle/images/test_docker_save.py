"""What an Engine saves: read from a file, and kept while it streams by."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bundle.errors import AirgapError, SourceError
from bundle.images.docker_save import SaveSource, keep_saved
from bundle.images.local import names_in
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.transfer.fetch import fetch_image
from bundle.transfer.image import Manifest
from bundle.transfer.transfers import Transfers
from tests.fixtures.images.images import image, layer
from tests.fixtures.images.layouts import fetched, opened

BIG, SMALL = layer("big", 300_000, compressed=False), layer("small", 100, compressed=False)


def saved() -> bytes:
    """As Docker 20.10 saves an image whose first and last layer are the same: config and list after the layers."""
    config = json.dumps({"rootfs": {"diff_ids": [str(each.diff_id) for each in (BIG, SMALL, BIG)]}}).encode()
    names = ["a/layer.tar", "b/layer.tar", "c/layer.tar"]
    listed = [{"Config": "x.json", "Layers": names, "RepoTags": ["app:1"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        files = {"a/layer.tar": BIG.data, "b/layer.tar": SMALL.data, "c/layer.tar": None}
        for name, data in {**files, "x.json": config, "manifest.json": json.dumps(listed).encode()}.items():
            entry = tarfile.TarInfo(name)
            if data is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "../a/layer.tar"
            else:
                entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data or b""))
    return buffer.getvalue()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1000, 65_536, 10_000_000])
def test_its_image_is_in_the_cache(tmp_path: Path, size: int) -> None:
    store = BlobStore(tmp_path)
    tree = keep_saved(pieces(saved(), size), store, subject="image 'app'")
    assert store.path(BIG.diff_id).read_bytes() == BIG.data
    source = SaveSource(tree, "", "image 'app'")
    transfers = Transfers(1)
    image = fetch_image(source, source.resolve(), store, subject="app", meter=SilentMeter(), transfers=transfers)
    assert {blob.digest for blob in image.blobs} >= {BIG.diff_id, SMALL.diff_id}
    assert all(store.holds(part) for part in (*image.manifests, *image.blobs))
    assert not list((tmp_path / "partial").iterdir())


def test_the_same_image_has_the_same_manifest(tmp_path: Path) -> None:
    made = {
        SaveSource(keep_saved(pieces(saved(), size), BlobStore(tmp_path), subject="x"), "", "x").resolve().digest
        for size in (999, 1_000_000)
    }
    assert len(made) == 1


@pytest.mark.parametrize(
    "left", [300, 100_000, saved().index(b"manifest.json") + 600], ids=["in a header", "in a layer", "in the list"]
)
def test_a_stream_that_is_cut_off(tmp_path: Path, left: int) -> None:
    store = BlobStore(tmp_path)
    with pytest.raises(SourceError, match=r"image 'app': what the Docker Engine saved can't be read: tar is cut off"):
        keep_saved(pieces(saved()[:left], 5000), store, subject="image 'app'")
    blobs = tmp_path / "blobs/sha256"
    assert all(Digest.of(path.read_bytes()).hex == path.name for path in (blobs.iterdir() if blobs.exists() else ()))


def test_a_blob_that_is_there_stays_the_same_file(tmp_path: Path) -> None:
    """A bundle may be linked to it."""
    store = BlobStore(tmp_path)
    first = store.add(iter([b"layer"]), subject="a layer of one image")
    inode = store.path(first.digest).stat().st_ino
    assert store.add(iter([b"layer"]), subject="a layer of another") == first
    assert store.path(first.digest).stat().st_ino == inode
    assert not list((tmp_path / "partial").iterdir())


def test_a_half_stored_blob_is_begun_anew(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.add(broken(), subject="a layer")
    whole = store.add(iter([b"all ", b"of it"]), subject="a layer")
    assert (whole.digest, whole.size) == (Digest.of(b"all of it"), 9)
    assert store.has(whole)
    assert partial(store.get, whole.digest)() == b"all of it"


def save(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A tar of these files; a text is the target of a link."""
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


LAYERS = [layer("one", 40, compressed=False), layer("two", 50, compressed=False)]


CONFIG = image(*LAYERS).blobs[Manifest.parse(image(*LAYERS).raw).config.digest]


SAVED: dict[str, bytes | str] = {
    "manifest.json": json.dumps(
        [{"Config": "c.json", "RepoTags": ["app:1", "example.com/app:2"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    ).encode(),
    "c.json": CONFIG,
    "1/layer.tar": LAYERS[0].data,
    "real.tar": LAYERS[1].data,
    "2/layer.tar": "../real.tar",
}


@pytest.mark.parametrize("ref", ["", "app:1", "docker.io/library/app:1", "example.com/app:2"])
def test_a_saved_image_gets_a_manifest(tmp_path: Path, ref: str) -> None:
    source = opened(save(tmp_path / "x.tar", SAVED), ref, "docker-archive")
    store = BlobStore(tmp_path / "store")
    root = fetched(source, store)
    manifest = Manifest.parse(store.get(root.digest) or b"")
    assert manifest.config == Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(CONFIG), size=len(CONFIG))
    assert [(each.digest, each.media_type) for each in manifest.layers] == [
        (each.diff_id, media_types.OCI_LAYER) for each in LAYERS
    ]
    assert [store.get(each.digest) for each in manifest.layers] == [each.data for each in LAYERS]
    again = opened(save(tmp_path / "y.tar", dict(reversed(SAVED.items()))), ref, "docker-archive")
    assert again.manifest(root) == manifest.raw  # by digest, without resolving first


def test_compressed_layers_are_taken_as_they_are(tmp_path: Path) -> None:
    packed = gzip.compress(LAYERS[0].data, mtime=0)
    source = opened(save(tmp_path / "x.tar", {**SAVED, "1/layer.tar": packed}), transport="docker-archive")
    root = fetched(source, BlobStore(tmp_path / "store"))
    first = Manifest.parse(source.manifest(root)).layers[0]
    assert first == Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(packed), size=len(packed))


def test_another_image_than_was_locked_is_refused(tmp_path: Path) -> None:
    source = opened(save(tmp_path / "x.tar", SAVED), transport="docker-archive")
    with pytest.raises(SourceError, match=r"(?s)another image than it did: expected sha256.*next: .*doit lock"):
        source.manifest(replace(source.resolve(), digest=Digest.of(b"")))
    with pytest.raises(SourceError, match="has no sha256"):
        next(source.read(replace(source.resolve(), digest=Digest.of(b"")), 0))


def _manifest(**change: object) -> bytes:
    assert isinstance(SAVED["manifest.json"], bytes)
    return json.dumps([{**json.loads(SAVED["manifest.json"])[0], **change}]).encode()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"manifest.json": b"{}"}, "manifest.json is not a list of images", id="no list"),
        pytest.param({"manifest.json": b"["}, "manifest.json is not JSON", id="no json"),
        pytest.param({"manifest.json": b"[]"}, "exactly one image; it has: none", id="empty"),
        pytest.param({"manifest.json": _manifest(Layers=None)}, "without Config or Layers", id="no layers"),
        pytest.param(
            {"manifest.json": _manifest(Layers=["1/layer.tar"])}, "names 2 layers, manifest.json 1", id="count"
        ),
        pytest.param({"manifest.json": _manifest(Config="../c.json")}, "has no '../c.json'", id="config leads out"),
        pytest.param({"2/layer.tar": "/etc/passwd"}, "has no '2/layer.tar'", id="link leads out"),
        pytest.param({"c.json": b'{"rootfs": {}}'}, "no list of diff_ids", id="no diff_ids"),
        pytest.param({"1/layer.tar": b"BZh9"}, "bzip2 or xz", id="bzip2"),
        pytest.param({"1/layer.tar": b"x" * len(LAYERS[0].data)}, "does not have its digest", id="swapped layer"),
        pytest.param({"/etc/x": b""}, "leads out of its directory", id="absolute"),
    ],
)
def test_saved_images_that_are_not_whole(tmp_path: Path, change: dict[str, bytes | str], what: str) -> None:
    path = save(tmp_path / "x.tar", {**SAVED, **change})
    with pytest.raises(AirgapError, match=what):
        fetched(opened(path, transport="docker-archive"), BlobStore(tmp_path / "store"))


def test_several_saved_images_want_a_ref(tmp_path: Path) -> None:
    both = json.loads(_manifest()) + json.loads(_manifest(RepoTags=["other:1"])) + json.loads(_manifest(RepoTags=None))
    path = save(tmp_path / "x.tar", {**SAVED, "manifest.json": json.dumps(both).encode()})
    with pytest.raises(SourceError, match=r"it has: @2, app:1, example\.com/app:2, other:1\n"):
        opened(path, transport="docker-archive").resolve()
    assert names_in(path, subject="x.tar") == ("app:1", "other:1", "@2")
    assert opened(path, "@2", "docker-archive").resolve() == opened(path, "other:1", "docker-archive").resolve()
    with pytest.raises(SourceError, match="has no one image '@3'"):
        opened(path, "@3", "docker-archive").resolve()
    assert (
        opened(path, "other:1", "docker-archive").resolve().digest
        == opened(save(tmp_path / "y.tar", SAVED), transport="docker-archive").resolve().digest
    )
