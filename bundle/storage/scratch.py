"""Directories for the time of one job, which nothing outlives: what killed processes left is removed by the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.errors import NO_ROOM, storage_errors


@contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory of mode 0700 in `parent`, gone afterwards; its name begins with `prefix`, which names its kind.

    Those of this kind and account whose process is gone without having removed them (a signal, `kill -9`) are removed
    first. One is in use while its process lives here or holds its lock, which also tells of processes in containers.
    """
    with storage_errors("make a private directory", parent):
        for left in parent.glob(f"{prefix}*"):
            if _is_left(left, prefix):
                shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    try:
        with _held(place):
            yield place
    except OSError as err:
        if err.errno in NO_ROOM and err.filename is None:
            err.filename = str(place)  # a refused write does not say where it was
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _held(place: Path) -> Iterator[None]:
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the process's number alone tells
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _is_left(place: Path, prefix: str) -> bool:
    owner = place.name.removeprefix(prefix).partition("-")[0]
    try:
        if not (owner.isascii() and owner.isdigit()) or place.stat().st_uid != os.geteuid():
            return False
        os.kill(int(owner), 0)
    except (ProcessLookupError, OverflowError):  # the latter for a number that no process has
        return not _is_held(place)
    except OSError:  # alive and not ours, or gone meanwhile
        return False
    return False


def _is_held(place: Path) -> bool:
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
