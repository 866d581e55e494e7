"""A layer of an image as the tar that it is, read forward and unpacked on the way (OCI image-spec layer.md)."""

import zlib
from collections.abc import Iterator
from itertools import chain

from bundle.errors import FormatError
from bundle.storage.volume import ChunkStream

ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's parameter for a gzip member with its header and checksum
_INPUT = 64 * 1024  # bytes; larger ones are copied too often where a blob has many small members
_OUTPUT = 1024 * 1024  # bytes
_MOST = 64 * 1024**3  # bytes of one unpacked layer; what is larger was made to keep us busy


class LayerStream(ChunkStream):
    """The bytes of an unpacked layer. FormatError for damaged or endless ones."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__(_bounded(chunks))


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The tar in a blob: gzip, also of many members, or plain; told by how it begins, whatever its media type says.

    The blob is taken to its end. FormatError for one that is damaged or cut off, and for zstd, which Python can't undo.
    """
    first = next(chunks, b"")
    while 0 < len(first) < len(ZSTD) and (more := next(chunks, b"")):
        first += more
    if first.startswith(ZSTD):
        raise FormatError(
            "it is compressed with zstd, which is not read here",
            hint="take a base with gzip layers, or build the image with the certificates outside and bundle that one",
        )
    whole = chain((first,), chunks)
    yield from _inflated(whole) if first.startswith(_GZIP) else whole


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What the members of a gzip file hold, one after the other; what follows the last one is passed over."""
    inputs = (chunk[start : start + _INPUT] for chunk in chunks for start in range(0, len(chunk), _INPUT))
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    data = b""
    try:
        while data := data or next(inputs, b""):
            chunk = inflater.decompress(data, _OUTPUT)
            data = inflater.unconsumed_tail
            if chunk:
                yield chunk
            if inflater.eof:
                data = inflater.unused_data or next(inputs, b"")
                if not data.startswith(_GZIP[:1]):
                    break
                inflater = zlib.decompressobj(_GZIP_WINDOW)
    except zlib.error as err:
        raise FormatError(f"it is no gzip, or a damaged one: {err}") from err
    for _ in inputs:
        pass
    if not inflater.eof:
        raise FormatError("its compression is cut off")


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MOST:
            raise FormatError(f"it unpacks to more than {_MOST // 1024**3} GiB")
        yield chunk
