"""The tar in a layer's blob, read forward: gzip (also of many members), zstd by somebody else's program, or plain."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from bundle.errors import FormatError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_INPUT = 64 * 1024  # bytes; larger ones are copied too often where a blob has many small members
_OUTPUT = 1024 * 1024  # bytes
_MOST = 64 * 1024**3  # bytes of one unpacked layer; what is larger was made to keep us busy
_GZIP_WINDOW = 31  # zlib's parameter for a gzip member with its header and checksum

OpenZstd = Callable[[Path], AbstractContextManager[IO[bytes]]]
"""Opens a file that is compressed by zstd as the stream of what is in it."""


class LayerStream:
    """The bytes of an unpacked layer; `position` counts those passed. FormatError for damaged or endless ones."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.position = 0
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next `size` bytes in one piece; fewer at the end."""
        return b"".join(self.chunks(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        for _ in self.chunks(size):
            pass

    def chunks(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes in pieces; fewer at the end."""
        while size > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    return
            chunk, self._rest = self._rest[:size], self._rest[size:]
            size -= len(chunk)
            self.position += len(chunk)
            if self.position > _MOST:
                raise FormatError(f"it unpacks to more than {_MOST // 1024**3} GiB")
            yield chunk


@contextmanager
def open_layer(path: Path, open_zstd: OpenZstd) -> Iterator[LayerStream]:
    """A layer's blob as a stream; how it is packed is told by its first bytes, whatever its media type says."""
    with path.open("rb") as blob:
        start = blob.read(4)
    with open_zstd(path) if start == _ZSTD else path.open("rb") as stream:
        yield LayerStream(_inflated(stream) if start[:2] == _GZIP else _plain(stream))


def _plain(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_OUTPUT):
        yield chunk


def _inflated(stream: IO[bytes]) -> Iterator[bytes]:
    """What the members of a gzip file hold, one after the other; what follows the last one is left."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    data = b""
    try:
        while data := data or stream.read(_INPUT):
            chunk = inflater.decompress(data, _OUTPUT)
            data = inflater.unconsumed_tail
            if chunk:
                yield chunk
            if inflater.eof:
                data = inflater.unused_data or stream.read(_INPUT)
                if not data.startswith(_GZIP[:1]):
                    return
                inflater = zlib.decompressobj(_GZIP_WINDOW)
    except zlib.error as err:
        raise FormatError(f"its compression is damaged: {err}") from err
    if not inflater.eof:
        raise FormatError("its compression is cut off")
