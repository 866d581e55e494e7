"""Layers and whole images of given files, for tests that look into them."""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from tests.integration.images import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic or a hard link."""

    target: str
    hard: bool = False


DIRECTORY = None
Content = bytes | str | Link | None


def tar_of(entries: Mapping[str, Content] | Sequence[tuple[str, Content]]) -> bytes:
    """A tar of these entries in their order; None is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in entries.items() if isinstance(entries, Mapping) else entries:
            entry = tarfile.TarInfo(name)
            data = content.encode() if isinstance(content, str) else content
            if isinstance(data, bytes):
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            else:
                entry.type = tarfile.DIRTYPE if data is None else tarfile.LNKTYPE if data.hard else tarfile.SYMTYPE
                entry.linkname = data.target if data else ""
                tar.addfile(entry)
    return buffer.getvalue()


def layer_of(entries: Mapping[str, Content] | Sequence[tuple[str, Content]]) -> Layer:
    """A layer of these entries, compressed by gzip."""
    data = tar_of(entries)
    return Layer(data=gzip.compress(data, compresslevel=1, mtime=0), diff_id=Digest.of(data), compressed=True)


@contextmanager
def no_zstd(path: Path) -> Iterator[IO[bytes]]:
    """What opens zstd where there is no such program."""
    raise FormatError("there is no zstd")
    yield path.open("rb")
