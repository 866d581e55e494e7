"""Reproducible tar streams (POSIX.1-2001 pax): the same members in the same order give the same bytes."""

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from bundle.errors import IntegrityError
from bundle.meter import Meter, SilentMeter
from bundle.oci.digest import Digest, Hasher
from bundle.storage.appender import BLOCK, See
from bundle.storage.marks import unmark
from bundle.storage.volume import FilePiece

ALIGNED = 64 * 1024  # bytes of a file whose blocks are worth a longer header
_LEAST = 16  # bytes of a pax record; shorter ones can't be told from their length


class Sink(Protocol):
    """Where bytes go: a file, a hashing sink, parts."""

    def write(self, data: bytes | memoryview, /) -> object: ...


@runtime_checkable
class CopyingSink(Sink, Protocol):
    """A sink that takes pieces of files without their passing through memory where it can, and shows each chunk."""

    def copy(self, piece: FilePiece, see: See | None = None) -> int: ...


Known = Callable[[Digest, int], bool]
"""Whether the file of a handle is known to have a digest, so that its bytes need not be hashed to tell."""


def unknown(_digest: Digest, _handle: int) -> bool:
    """Nothing is known of any file."""
    return False


class HashingSink:
    """Passes bytes on and knows their sha256 and number."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._hasher = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | memoryview, /) -> None:
        """Pass `data` on."""
        self._hasher.update(data)
        self.size += len(data)
        self._sink.write(data)

    @property
    def digest(self) -> Digest:
        """The digest of what was written so far."""
        return Digest(algorithm="sha256", hex=self._hasher.hexdigest())


class TarWriter:
    """Writes members in the order they are given, all owned by root and dated `epoch` (seconds since 1970).

    Pax headers appear where a long name or a size over 8 GiB needs one, and before larger files: as long as it takes
    for their bytes to begin on a block's border, so that a sink can share blocks. Nothing is sought: any sink will do.
    Progress goes to `meter` under `subject`. An OSError of the sink or of a file comes through.
    """

    def __init__(
        self, sink: Sink, *, epoch: int, subject: str, meter: Meter | None = None, known: Known = unknown
    ) -> None:
        self.position = 0
        self._sink = sink
        self._epoch = epoch
        self._subject = subject
        self._meter = meter or SilentMeter()
        self._known = known

    def directory(self, name: str) -> None:
        """Add a directory, without what is in it."""
        self._header(name, 0, 0o755, tarfile.DIRTYPE)

    def data(self, name: str, data: bytes) -> None:
        """Add a file that is in memory."""
        self._header(name, len(data), 0o644, tarfile.REGTYPE)
        self._write(data)
        self._pad()

    def file(self, name: str, path: Path, *, digest: Digest) -> None:
        """Add a file from the disk, checking while it streams that it still has `digest`.

        One that is `known` to have it, before and afterwards, is not hashed. Members can be executable or not; other
        permissions are not kept. IntegrityError when the bytes are other ones.
        """
        with path.open("rb", buffering=0) as file:
            handle = file.fileno()
            stat = os.fstat(handle)
            hasher = None if self._known(digest, handle) else digest.hasher()
            self._header(name, stat.st_size, 0o755 if stat.st_mode & 0o100 else 0o644, tarfile.REGTYPE)
            left = stat.st_size - self._copy(FilePiece(file=file, offset=0, size=stat.st_size), hasher)
            good = hasher.hexdigest() == digest.hex if hasher else self._known(digest, handle)
        if left or not good:
            unmark(path, digest)
            told = f"it has {digest.algorithm}:{hasher.hexdigest()}" if hasher else "it was written to meanwhile"
            seen = f"{left} bytes are missing at its end" if left else told
            raise IntegrityError(
                f"{self._subject}: file {str(path)!r} changed on the disk: expected {digest}, {seen}",
                hint="delete that file and run again to make it anew; check the disk if this comes back",
            )
        self._pad()

    def tar(self, name: str, size: int, write: Callable[["TarWriter"], None], *, epoch: int) -> None:
        """Add a tar of `size` bytes that is made here and now: `write` puts its members and its end.

        IntegrityError when it is another size.
        """
        self._header(name, size, 0o644, tarfile.REGTYPE)
        inner = TarWriter(self._sink, epoch=epoch, subject=self._subject, meter=self._meter, known=self._known)
        write(inner)
        self.position += inner.position
        if inner.position != size:
            raise IntegrityError(
                f"{self._subject}: {name!r} has {inner.position} bytes now, expected {size}",
                hint="run again: what it is made of has changed",
            )
        self._pad()

    def close(self) -> None:
        """Write the end of the archive: two zero blocks."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))

    def _header(self, name: str, size: int, mode: int, kind: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.type, info.mtime = size, mode, kind, self._epoch
        info.uname = info.gname = "root"
        header = _encoded(info)
        if size >= ALIGNED and (room := -(self.position + len(header)) % BLOCK):
            plain = len(header) == tarfile.BLOCKSIZE
            info.pax_headers = {"comment": _comment(room - tarfile.BLOCKSIZE if plain else room)}
            header = _encoded(info)
        self._write(header)

    def _copy(self, piece: FilePiece, hasher: Hasher | None) -> int:
        def see(chunk: bytes | memoryview) -> None:
            if hasher:
                hasher.update(chunk)
            self._meter.advance(self._subject, len(chunk))

        if isinstance(self._sink, CopyingSink):
            done = self._sink.copy(piece, see)
        else:
            done = 0
            for chunk in piece.read():
                see(chunk)
                self._sink.write(chunk)
                done += len(chunk)
        self.position += done
        return done

    def _pad(self) -> None:
        if over := self.position % tarfile.BLOCKSIZE:
            self._write(bytes(tarfile.BLOCKSIZE - over))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self.position += len(data)
        self._meter.advance(self._subject, len(data))


def _encoded(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _comment(room: int) -> str:
    """A comment whose pax record (`LENGTH comment=TEXT` and a newline) takes `room` bytes, or whole blocks more."""
    length = room if room >= _LEAST else room + BLOCK
    return "." * (length - len(str(length)) - len(" comment=\n"))
