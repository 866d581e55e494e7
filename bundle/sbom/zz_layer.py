"""A layer's blob in a file, opened: zstd is unpacked by somebody else's program."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from bundle.images.layers.stream import ZSTD, LayerStream, unpacked
from bundle.storage.files import CHUNK

OpenZstd = Callable[[Path], AbstractContextManager[IO[bytes]]]
"""Opens a file that is compressed by zstd as the stream of what is in it."""


@contextmanager
def open_layer(path: Path, open_zstd: OpenZstd) -> Iterator[LayerStream]:
    """A layer's blob as a stream; how it is packed is told by its first bytes, whatever its media type says."""
    with path.open("rb") as blob:
        zstd = blob.read(len(ZSTD)) == ZSTD
    with open_zstd(path) if zstd else path.open("rb") as stream:
        chunks = _chunks(stream)
        yield LayerStream(chunks if zstd else unpacked(chunks))


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk
