"""A layer of an image as the tar that it is, unpacked and checked while it streams (OCI image-spec layer.md)."""

import zlib
from collections.abc import Iterator

from bundle.descriptor import Descriptor
from bundle.errors import FormatError, IntegrityError
from bundle.files import CHUNK
from bundle.image import ImageSource
from bundle.meter import Meter

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31  # zlib: the largest window, with a gzip header


class LayerStream:
    """The tar of one layer, from its start to its end, in memory only by the chunk.

    What the source gives is hashed on the way: `drain` to its end raises an IntegrityError when it is not the layer.
    FormatError for a compression that Python can't undo. Progress in bytes of the blob goes to `meter`.
    """

    def __init__(self, source: ImageSource, layer: Descriptor, *, subject: str, meter: Meter) -> None:
        self.position = 0
        self._blob = layer
        self._subject = subject
        self._meter = meter
        self._chunks = _unpacked(self._checked(source))
        self._chunk = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next `size` bytes in one piece; fewer at the end."""
        return b"".join(self._pieces(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        for _ in self._pieces(size):
            pass

    def drain(self) -> None:
        """Pass over all that is left, so that the whole layer is checked."""
        while self.read(CHUNK):
            pass

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size > 0:
            if not self._chunk:
                self._chunk = memoryview(next(self._chunks, b""))
                if not self._chunk:
                    return
            piece, self._chunk = self._chunk[:size], self._chunk[size:]
            size -= len(piece)
            self.position += len(piece)
            yield piece

    def _checked(self, source: ImageSource) -> Iterator[bytes]:
        hasher, size = self._blob.digest.hasher(), 0
        for chunk in source.read(self._blob, 0):
            hasher.update(chunk)
            size += len(chunk)
            self._meter.advance(self._subject, len(chunk))
            yield chunk
        if size != self._blob.size or hasher.hexdigest() != self._blob.digest.hex:
            raise IntegrityError(
                f"{self._subject}: its layer {self._blob.digest} is damaged: expected {self._blob.size} bytes, "
                f"found {size} with {self._blob.digest.algorithm}:{hasher.hexdigest()}",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of the tar, whatever the media type says: by what the blob begins with."""
    first = next(chunks, b"")
    while 0 < len(first) < len(_ZSTD) and (more := next(chunks, b"")):
        first += more
    if first.startswith(_ZSTD):
        raise FormatError(
            "it is compressed with zstd, which is not read here",
            hint="take a base with gzip layers, or build the image with the certificates outside and bundle that one",
        )
    if not first.startswith(_GZIP):
        yield first
        yield from chunks
        return
    inflating = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in _then(first, chunks):
        data = chunk
        while data:
            try:
                out = inflating.decompress(data, CHUNK)
            except zlib.error as err:
                raise FormatError(f"it is no gzip: {err}") from err
            if out:
                yield out
            data = inflating.unconsumed_tail
            if inflating.eof:  # a gzip may consist of several
                data, inflating = inflating.unused_data.lstrip(b"\0"), zlib.decompressobj(_GZIP_WINDOW)


def _then(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks
