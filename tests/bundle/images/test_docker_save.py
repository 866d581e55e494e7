"""What an Engine saves, kept while it streams by."""

import io
import json
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bundle.errors import SourceError
from bundle.images.docker_save import SaveSource, keep_saved
from bundle.meter import SilentMeter
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.transfer.fetch import fetch_image
from bundle.transfer.transfers import Transfers
from tests.fixtures.made.images import layer

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
