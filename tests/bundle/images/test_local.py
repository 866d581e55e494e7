import gzip
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import SourceError
from bundle.storage.blob_store import BlobStore
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
        (gzip.compress, "compressed with gzip.*next: run `gunzip --keep x.tar`"),
        (lzma.compress, "compressed with xz.*next: run `unxz"),
        (lambda data: data[:700], "tar is cut off.*next: copy or build"),
        (lambda data: b"", "tar is cut off at byte 0"),
    ],
    ids=["gzip", "xz", "cut", "empty"],
)
def test_archives_that_cannot_be_read_in_place(layout: Path, compress: Callable[[bytes], bytes], what: str) -> None:
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
