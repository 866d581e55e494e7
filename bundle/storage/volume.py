"""One or several files read as if they were one: by position, or as a stream that checks each file's digest."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from bundle.oci.digest import Digest, Hasher
from bundle.storage.files import CHUNK

if TYPE_CHECKING:
    from concurrent.futures import Future


class ChunkStream:
    """What the chunks hold, from its start to its end, in memory only by the chunk; `position` counts bytes passed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.position = 0
        self._chunks = chunks
        self._rest = memoryview(b"")

    def chunks(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes, uncopied; fewer at the end."""
        while size > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    return
            chunk, self._rest = self._rest[:size], self._rest[size:]
            size -= len(chunk)
            self.position += len(chunk)
            yield chunk

    def read(self, size: int) -> bytes:
        """The next `size` bytes in one piece; fewer at the end."""
        return b"".join(self.chunks(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes; who checks them on the way does so all the same."""
        for _ in self.chunks(size):
            pass

    def drain(self) -> None:
        """Pass over all that is left, so that it is checked to its end too."""
        while self.read(CHUNK):
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file and the digest it must have, None where nobody knows it."""

    path: Path
    digest: Digest | None = None


OnDamage = Callable[[Part, Digest], None]
"""Told of a part that has another digest than it must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePiece:
    """The `size` bytes of an open file from `offset` on."""

    file: BinaryIO
    offset: int
    size: int

    def read(self) -> Iterator[bytes]:
        """The bytes, in chunks; fewer where the file ends."""
        at, end = self.offset, self.offset + self.size
        while at < end and (chunk := _read_at(self.file, min(CHUNK, end - at), at)):
            at += len(chunk)
            yield chunk


def _read_at(file: BinaryIO, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), size, at)
    file.seek(at)  # Windows, where each reader has a file of its own
    return file.read(size)


class Extent(Protocol):
    """Bytes that are read by position."""

    @property
    def size(self) -> int:
        """How many there are."""

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """The `length` bytes from `offset` on, in chunks; fewer where they end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The `size` bytes of another extent from `start` on."""

    of: Extent
    start: int
    size: int

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """The `length` bytes from `offset` on, in chunks; fewer where the section ends."""
        return self.of.read(self.start + offset, min(length, self.size - offset))


class Volume:
    """The bytes of several files in a row, their sizes taken once. An OSError comes through."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._sizes = [part.path.stat().st_size for part in parts]
        self.size = sum(self._sizes)

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """The `length` bytes from `offset` on, in chunks; fewer where the volume ends."""
        for part, size in zip(self.parts, self._sizes, strict=True):
            if offset < size and length > 0:
                with part.path.open("rb", buffering=0) as file:
                    end = min(size, offset + length)
                    for chunk in FilePiece(file=file, offset=offset, size=end - offset).read():
                        yield chunk
                        offset += len(chunk)
                        length -= len(chunk)
                    if offset < end:
                        return
            offset = max(0, offset - size)

    def stream(self, on_damage: OnDamage) -> "VolumeStream":
        """Read everything from the start, telling of each damaged part as its end is passed."""
        return VolumeStream(self, on_damage)


class VolumeStream(ChunkStream):
    """A volume from its start to its end. Close it, or use it as a context manager.

    The parts' digests are computed in a thread of their own, so that a reader that hashes too loses no time.
    """

    def __init__(self, volume: Volume, on_damage: OnDamage) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - takes 3 ms, and most commands read no volume

        self._blocks = self._read_blocks(volume, on_damage)
        super().__init__(self._blocks)
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that is being read."""
        self._blocks.close()
        self._pool.shutdown()

    def _read_blocks(self, volume: Volume, on_damage: OnDamage) -> Generator[bytes, None, None]:
        for part in volume.parts:
            hasher = part.digest.hasher() if part.digest else None
            pending: Future[None] | None = None
            with part.path.open("rb", buffering=0) as file:
                while block := file.read(CHUNK):
                    pending = self._hash(hasher, block, pending)
                    yield block
            if pending:
                pending.result()
            if part.digest and hasher and hasher.hexdigest() != part.digest.hex:
                on_damage(part, Digest(algorithm=part.digest.algorithm, hex=hasher.hexdigest()))

    def _hash(self, hasher: Hasher | None, block: bytes, pending: "Future[None] | None") -> "Future[None] | None":
        if hasher is None:
            return None
        if pending:
            pending.result()
        return self._pool.submit(hasher.update, block)
