"""Where a bundle grows: in the state directory, so that `dist/` holds only what is carried."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
from pathlib import Path

_EARLIER = ".work"  # below `out`, where bundles grew in earlier versions
_STRANGERS = frozenset({"fetch"})  # what else works there
_DAY = 24 * 3600  # seconds
_TEMPORARY = re.compile(r"\.(?P<path>.+)\.[0-9]+-[0-9]+-[0-9]+\.tmp")


def work_directory(state: Path, out: Path, name: str) -> Path:
    """The directory in which the bundle of this name for `out` grows; specs that share a state have one for each."""
    place = hashlib.sha256(os.fsencode(os.path.relpath(out, state))).hexdigest()[:8]
    return state / "work" / place / name


def sweep_out(out: Path, name: str) -> None:
    """Remove from `out` what a killed run left of this bundle, and what earlier versions of this program kept there.

    Nothing is removed while another run puts a bundle there.
    """
    if _is_held(out):
        return
    finished = re.compile(rf"{re.escape(name)}(\.tar(\.[0-9]{{3}}|\.sha256)?)?")
    for path in out.glob(".*.tmp"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and finished.fullmatch(match["path"]):
            _remove(path)
    earlier = out / _EARLIER
    if earlier.is_dir() and not earlier.is_symlink():
        for path in earlier.iterdir():
            if path.name not in _STRANGERS and not _is_held(path / "lock"):
                _remove(path)
        with contextlib.suppress(OSError):  # a bundle was fetched there
            earlier.rmdir()


def sweep_work(work: Path, out: Path) -> None:
    """Remove growing bundles beside `work` that are a day old and whose finished one is not in `out` any more.

    What they hold comes from the cache when such a bundle is made again.
    """
    for path in work.parent.iterdir():
        lock = path / "lock"
        finished = any((out / name).exists() for name in (path.name, f"{path.name}.tar.sha256"))
        with contextlib.suppress(OSError):
            if path != work and not finished and lock.stat().st_mtime < time.time() - _DAY and not _is_held(lock):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    """Whether another run has locked a file or directory."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        return err.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(handle)
    return False
