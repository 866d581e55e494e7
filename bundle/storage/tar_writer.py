"""Reproducible tar streams (POSIX.1-2001 pax): the same members in the same order give the same bytes."""

import hashlib
import os
import tarfile
from pathlib import Path
from typing import Protocol

from bundle.errors import IntegrityError
from bundle.meter import Meter, SilentMeter
from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK


class Sink(Protocol):
    """Where bytes go: a file, a hashing sink, parts."""

    def write(self, data: bytes | memoryview, /) -> object: ...


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

    Pax headers appear only where a long name or a size over 8 GiB needs one. Nothing is sought: any sink will do.
    Progress goes to `meter` under `subject`. An OSError of the sink or of a file comes through.
    """

    def __init__(self, sink: Sink, *, epoch: int, subject: str, meter: Meter | None = None) -> None:
        self._sink = sink
        self._epoch = epoch
        self._subject = subject
        self._meter = meter or SilentMeter()

    def directory(self, name: str) -> None:
        """Add a directory, without what is in it."""
        self._header(name, 0, 0o755, tarfile.DIRTYPE)

    def data(self, name: str, data: bytes) -> None:
        """Add a file that is in memory."""
        self._header(name, len(data), 0o644, tarfile.REGTYPE)
        self._write(data)
        self._pad(len(data))

    def file(self, name: str, path: Path, *, digest: Digest) -> None:
        """Add a file from the disk, checking while it streams that it still has `digest`.

        Members can be executable or not; other permissions are not kept. IntegrityError when the bytes are other ones.
        """
        hasher = digest.hasher()
        with path.open("rb", buffering=0) as file:
            stat = os.fstat(file.fileno())
            self._header(name, stat.st_size, 0o755 if stat.st_mode & 0o100 else 0o644, tarfile.REGTYPE)
            left = stat.st_size
            while left and (chunk := file.read(min(CHUNK, left))):
                hasher.update(chunk)
                self._write(chunk)
                left -= len(chunk)
        if left or hasher.hexdigest() != digest.hex:
            seen = f"{left} bytes are missing at its end" if left else f"it has {digest.algorithm}:{hasher.hexdigest()}"
            raise IntegrityError(
                f"{self._subject}: file {str(path)!r} changed on the disk: expected {digest}, {seen}",
                hint="delete that file and run again to make it anew; check the disk if this comes back",
            )
        self._pad(stat.st_size)

    def close(self) -> None:
        """Write the end of the archive: two zero blocks."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))

    def _header(self, name: str, size: int, mode: int, kind: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.type, info.mtime = size, mode, kind, self._epoch
        info.uname = info.gname = "root"
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))

    def _pad(self, size: int) -> None:
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._meter.advance(self._subject, len(data))
