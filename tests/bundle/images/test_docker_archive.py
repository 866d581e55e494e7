"""An image as `docker load` reads it: the same bytes each time, from whole blobs only."""

import os
import tarfile
from pathlib import Path

import pytest

from bundle.errors import IntegrityError
from bundle.images.docker_archive import write_image
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest
from tests.fixtures.made.made_bundle import CONTENT, stored


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


def test_rot_in_the_cache_does_not_cross(store: BlobStore, tmp_path: Path) -> None:
    """Same size, same time: only reading the bytes can tell."""
    api = stored(store, "api")
    path = store.path(Manifest.parse(CONTENT["api"].raw).layers[0].digest)
    stat = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"rot")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(IntegrityError, match=r"image 'api': file .* changed on the disk"):
        write_image(tmp_path / "x.tar", api, store, epoch=0)
    assert not list(tmp_path.glob("*x.tar*"))


@pytest.mark.parametrize("name", CONTENT)
def test_an_image_archive_is_the_same_every_time(tmp_path: Path, name: str) -> None:
    written = []
    for run in ("one", "two"):
        store = BlobStore(tmp_path / run)
        written.append(write_image(tmp_path / f"{run}.tar", stored(store, name), store, epoch=5))
    assert written[0] == written[1]
    data = (tmp_path / "one.tar").read_bytes()
    assert (written[0].digest, written[0].size) == (Digest.of(data), len(data))
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert tar.getnames()[:3] == ["oci-layout", "index.json", "manifest.json"]
        assert tar.getnames()[3:] == sorted(tar.getnames()[3:])
        assert {info.mtime for info in tar} == {5}
