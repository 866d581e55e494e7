"""Image archives that somebody compressed: unpacked once into a file without a name, which ends with this program."""

import bz2
import gzip
import lzma
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, cast

from bundle.errors import FormatError, SourceError

OpenZstd = Callable[[Path], AbstractContextManager[IO[bytes]]]
"""Opens what zstd compressed, which Python itself can from 3.14 on."""

_CHUNK = 1024 * 1024
_ZSTD = b"\x28\xb5\x2f\xfd"
_OPENERS: dict[bytes, Callable[[Path], AbstractContextManager[IO[bytes]]]] = {
    b"\x1f\x8b": lambda path: cast("IO[bytes]", gzip.GzipFile(path)),
    b"\xfd7zXZ\x00": lambda path: cast("IO[bytes]", lzma.LZMAFile(path)),  # noqa: SIM115 - `with` is where it is opened
    b"BZh": lambda path: cast("IO[bytes]", bz2.BZ2File(path)),
}
_guard = threading.Lock()
_unpacked: dict[tuple[Path, int, int], IO[bytes]] = {}


def is_compressed(path: Path) -> bool:
    """Whether a file begins as what gzip, xz, bzip2 or zstd made."""
    with path.open("rb") as file:
        return file.read(6).startswith((*_OPENERS, _ZSTD))


def unpacked(path: Path, *, subject: str, scratch: Path | None, open_zstd: OpenZstd | None) -> Path:
    """The tar that a compressed archive holds, as a path of this process that can be opened any number of times.

    It takes the space of the tar in `scratch` (default: where temporary files go), until the program ends, however it
    does. A SourceError where it can't be unpacked.
    """
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((each for magic, each in _OPENERS.items() if start.startswith(magic)), open_zstd)
    if opener is None:
        raise SourceError(f"{subject}: {path.name!r} is compressed with zstd", hint=f"run `unzstd {path.name}` first")
    stat = path.stat()
    key = (path.resolve(), stat.st_size, stat.st_mtime_ns)
    with _guard:
        if key not in _unpacked:
            _unpacked[key] = _unpack(path, opener, subject, scratch)
        return Path(f"/proc/self/fd/{_unpacked[key].fileno()}")


def _unpack(path: Path, opener: OpenZstd, subject: str, scratch: Path | None) -> IO[bytes]:
    target = tempfile.TemporaryFile(dir=scratch if scratch and scratch.is_dir() else None)  # noqa: SIM115 - stays open
    try:
        with opener(path) as stream:
            shutil.copyfileobj(stream, target, _CHUNK)
        target.flush()
    except (EOFError, OSError, lzma.LZMAError, zlib.error, FormatError, ValueError) as err:
        target.close()
        if isinstance(err, OSError) and err.errno:
            raise
        what = f"{subject}: {path.name!r} can't be unpacked: its compression is damaged or cut off"
        raise SourceError(what, hint="copy or save this archive again") from err
    except BaseException:
        target.close()
        raise
    return cast("IO[bytes]", target)
