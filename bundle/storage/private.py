"""Directories that only we can write to: what lies there was put there by us, so that it may be trusted and run."""

import contextlib
import fcntl
import os
import pwd
import shlex
import shutil
import stat
from pathlib import Path

from bundle.errors import StorageError, storage_errors
from bundle.storage.files import is_temporary, locked

_ONLY_OURS = 0o700
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LOCK = ".lock"


def make_private(path: Path) -> None:
    """Make a directory that only its owner can enter, whatever the umask, and so are those above it that are missing.

    One that is there is left as it is.
    """
    with contextlib.suppress(FileExistsError):
        try:
            path.mkdir(mode=_ONLY_OURS)
        except FileNotFoundError:
            make_private(path.parent)
            path.mkdir(mode=_ONLY_OURS)
        path.chmod(_ONLY_OURS)


def require_private(path: Path) -> None:
    """A StorageError, with what to do, when a directory is another user's, or others can write to it.

    One that is not there is fine.
    """
    with storage_errors("look at the directory", path):
        try:
            found = path.stat()
        except FileNotFoundError:
            return
    elsewhere = "or name a place of your own: state=DIR"
    if not stat.S_ISDIR(found.st_mode):
        raise StorageError(f"{str(path)!r} is not a directory", hint=f"remove it, {elsewhere}")
    if found.st_uid != os.geteuid():
        owner = _user(found.st_uid)
        raise StorageError(
            f"directory {str(path)!r} belongs to {owner}, expected {_user(os.geteuid())}: what lies there is trusted",
            hint=f"run this as {owner}, {elsewhere}",
        )
    if found.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(found.st_mode)
        raise StorageError(
            f"others can write to directory {str(path)!r}: its mode is {mode:04o}, expected {_ONLY_OURS:04o}",
            hint=f"chmod -R go-w {shlex.quote(str(path))} where nobody has changed what lies there, else remove it; "
            f"{elsewhere}",
        )


def hold(root: Path, name: str) -> int:
    """Make the directory `root/name`, private as `root` and that one's parent are, and hold it.

    The handle of a file is returned: until it is closed or the process ends, the directory is held. Several may do
    that. All else in `root` that nobody holds is removed, and from `root/name` what a killed writer left there.
    StorageError as for `require_private`.
    """
    place = root / name
    with storage_errors("make a private directory", place):
        for each in (root.parent, root):
            make_private(each)
            require_private(each)
        with locked(root / _LOCK):
            make_private(place)
            require_private(place)
            for other in root.iterdir():
                if other.name not in (_LOCK, name):
                    _remove_unheld(other)
            lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _claim(lock):
                _sweep(place)
            fcntl.flock(lock, fcntl.LOCK_SH)
            return lock


def _remove_unheld(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    try:
        with (path / _LOCK).open("r+b") as lock:
            if _claim(lock.fileno()):
                shutil.rmtree(path, ignore_errors=True)
    except FileNotFoundError:
        shutil.rmtree(path, ignore_errors=True)


def _claim(lock: int) -> bool:
    """Whether nobody else holds the directory of this lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(place: Path) -> None:
    for path in place.rglob(".*.tmp"):
        if is_temporary(path.name):
            path.unlink(missing_ok=True)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
