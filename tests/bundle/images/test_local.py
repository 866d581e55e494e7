import bz2
import gzip
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import SourceError
from bundle.images.local import holds_images, names_in, open_local
from bundle.oci.locations import LocalImage
from bundle.storage.blob_store import BlobStore
from clients.sbom.zstd import open_zstd, zstd
from tests.fixtures.images.layouts import fetched, layout_of_all, opened
from tests.fixtures.made.made_bundle import CONTENT, PREFIX


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of all images."""
    return layout_of_all(tmp_path)


@pytest.mark.parametrize(
    ("transport", "what"),
    [("oci", "is not a directory"), ("oci-archive", "there is no file"), ("docker-archive", "there is no file")],
)
def test_nothing_there(tmp_path: Path, transport: str, what: str) -> None:
    with pytest.raises(SourceError, match=rf"(?s)image 'api'.*{what}.*next: check the path"):
        opened(tmp_path / "nothing", transport=transport)


@pytest.mark.parametrize(
    ("compress", "what"),
    [
        (lambda data: gzip.compress(data)[:-20], "can't be unpacked: its compression is damaged or cut off"),
        (lambda data: lzma.compress(data)[:-20], "can't be unpacked: its compression is damaged or cut off"),
        (lambda data: b"BZh9" + data[4:], "can't be unpacked: its compression is damaged or cut off"),
        (lambda data: b"\x28\xb5\x2f\xfd" + data, "is compressed with zstd.*next: run `unzstd x.tar` first"),
        (lambda data: data[:700], "tar is cut off.*next: copy or build"),
        (lambda data: b"", "tar is cut off at byte 0"),
    ],
    ids=["gzip", "xz", "bzip2", "zstd", "cut", "empty"],
)
def test_archives_that_can_not_be_read(layout: Path, compress: Callable[[bytes], bytes], what: str) -> None:
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    path = layout.parent / "x.tar"
    path.write_bytes(compress(path.read_bytes()))
    with pytest.raises(SourceError, match=rf"(?s)image 'api'.*{what}"):
        opened(path, transport="oci-archive")


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_an_archive_of_a_layout_by_tar(layout: Path, transport: str) -> None:
    """As `tar -cf x.tar .` makes it: names begin with ./ and directories have entries."""
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    source = opened(layout.parent / "x.tar", f"{PREFIX}/docker:1.0", transport)
    assert fetched(source, BlobStore(layout.parent / "other")) == CONTENT["docker"].descriptor


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress, zstd.compress])
@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_a_compressed_archive(layout: Path, compress: Callable[[bytes], bytes], transport: str, tmp_path: Path) -> None:
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    path = layout.parent / "x.tar"
    path.write_bytes(compress(path.read_bytes()))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    location = LocalImage(transport=transport, path=path, ref=f"{PREFIX}/docker:1.0")  # type: ignore[arg-type]
    source = open_local(location, subject="image 'api'", scratch=scratch, open_zstd=open_zstd)
    assert fetched(source, BlobStore(layout.parent / "other")) == CONTENT["docker"].descriptor
    assert len(names_in(path, subject="x.tar", open_zstd=open_zstd)) == len(CONTENT)
    assert list(scratch.iterdir()) == []  # what was unpacked has no name, and ends with this program


def test_which_files_look_like_image_archives(layout: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    shutil.make_archive(str(tmp_path / "other"), "tar", layout / "blobs")
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "text.tar").write_text("none")
    assert holds_images(layout.parent / "x.tar")
    assert holds_images(tmp_path / "packed.tar.gz")
    assert not any(holds_images(tmp_path / name) for name in ("other.tar", "text.tar", "absent.tar"))
