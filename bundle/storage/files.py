"""Files appear whole: written beside their place, synced, then renamed into it."""

import contextlib
import ctypes
import errno
import itertools
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from bundle.errors import NO_ROOM, FormatError, NoRoomError, free_space

try:
    import fcntl
except ImportError:  # Windows, where bundles are only verified: nothing is locked, nothing cloned
    fcntl = None  # type: ignore[assignment]

CHUNK = 512 * 1024  # bytes; small enough to stay in a core's own cache until it is copied, hashed and written
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file
_AT_FDCWD = -100  # fcntl.h
_RENAME_EXCHANGE = 2  # linux/fs.h
_KEEP_SIZE = 1  # linux/falloc.h
_SHARING = ("(xfs)", "(btrfs)", "(bcachefs)")  # file systems with reflinks
_TOO_LARGE = NO_ROOM | {errno.EFBIG}
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_TEMPORARY = re.compile(r"\..+\.([0-9]{1,18})-[0-9]+-[0-9]+\.tmp")
_LARGEST_SMALL = 64 * 1024 * 1024  # bytes of what is read whole
_OWN, _OTHERS = 0o700, 0o077  # rights in a mode
_counter = itertools.count()
_placing = tuple(threading.Lock() for _ in range(64))  # a target always has the same one


def temporary(path: Path) -> Path:
    """A name beside `path` that no other process or thread uses and that `is_temporary` knows again."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}-{next(_counter)}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file of this name is a leftover of an interrupted write."""
    return name.startswith(".") and name.endswith(".tmp")


def is_left(path: Path) -> bool:
    """Whether a file is a leftover of an interrupted write whose process is gone."""
    match = _TEMPORARY.fullmatch(path.name)
    if not match or not path.is_file():
        return False
    try:
        os.kill(int(match[1]), 0)
    except (ProcessLookupError, OverflowError):  # the latter for a number that no process has
        return True
    except OSError:  # alive, and another account's
        return False
    return False


def read_small(path: Path) -> bytes:
    """The bytes of a file that people write or a program keeps; an OSError for a pipe, a device and a huge file.

    A pipe would be waited for, and a device would never end.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a regular file")
        data = file.read(_LARGEST_SMALL + 1)
    if len(data) > _LARGEST_SMALL:
        raise OSError(f"it has more than {_LARGEST_SMALL} bytes")
    return data


def make_directories(path: Path) -> None:
    """Make a directory, and those above it that are missing; one that is there is left as it is.

    Each gives others no more rights than the directory it is made in, so that all below a private one is private,
    whatever the umask.
    """
    try:
        path.mkdir(mode=_OWN | path.parent.stat().st_mode & _OTHERS, exist_ok=True)
    except FileNotFoundError:
        make_directories(path.parent)
        path.mkdir(mode=_OWN | path.parent.stat().st_mode & _OTHERS, exist_ok=True)


@contextmanager
def writing(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when the body succeeds, and vanishes when it does not.

    The bytes are on the disk (fsync) before the name appears. Parent directories are made.
    """
    make_directories(path.parent)
    temp = temporary(path)
    try:
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
    except BaseException as err:
        temp.unlink(missing_ok=True)
        if isinstance(err, OSError) and err.errno in _TOO_LARGE and err.filename is None:
            err.filename = str(path)  # a refused write does not say of which file it was
        raise


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a small file atomically."""
    with writing(path, mode=mode) as file:
        file.write(data)


def place(source: Path, target: Path) -> None:
    """Make `target` the same content as `source` without copying it where the file system can (link, then reflink).

    A copy gets the time of its source, and a target with the size and the time of `source` is not copied again: the
    source's time has to tell its content, as that of a blob in the cache does, unless the target is a new file.
    Threads that place the same target wait for each other.
    """
    with _placing[hash(target) % len(_placing)]:
        if target.exists() and os.path.samefile(source, target):
            return
        make_directories(target.parent)
        temp = temporary(target)
        try:
            try:
                os.link(source, temp)
            except OSError:
                if _is_copy(source, target):
                    return
                _copy(source, temp)
            os.replace(temp, target)
        except OSError as err:
            if err.errno in NO_ROOM:
                raise NoRoomError(err.errno, str(target), source.stat().st_size) from err
            raise
        finally:
            temp.unlink(missing_ok=True)


def _is_copy(source: Path, target: Path) -> bool:
    try:
        there, own = target.stat(), source.stat()
    except FileNotFoundError:
        return False
    return (own.st_size, own.st_mtime_ns) == (there.st_size, there.st_mtime_ns)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, CHUNK)
        writer.flush()
        os.fsync(writer.fileno())
    shutil.copystat(source, target)


def reserve(handle: int, size: int, path: Path) -> None:
    """Have the file system set aside the blocks of a file that will get `size` bytes; what it has stays as it is.

    NoRoomError where there is no room for all of them, be some set aside or not: better before they are fetched than
    near their end. Does nothing where the file system or the C library can't.
    """
    fallocate = c_function("fallocate64")
    if fallocate and fallocate(handle, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) != 0:
        code = ctypes.get_errno()
        if code in _TOO_LARGE:
            raise NoRoomError(code, str(path), size)


def require_room(path: Path, size: int, *, cloned: bool = False) -> None:
    """A NoRoomError when the file system of a path, which need not be there yet, has not `size` bytes free.

    What is `cloned` from files that may lie there takes no room where blocks can be shared: then nothing is asked.
    """
    free, name = free_space(path)
    if free < size and not (cloned and name.endswith(_SHARING)):
        raise NoRoomError(errno.ENOSPC, str(path), size)


def release(handle: int) -> None:
    """Give back blocks that were set aside and not written to."""
    os.ftruncate(handle, os.fstat(handle).st_size)


def sync_directory(path: Path) -> None:
    """Put the names in a directory on the disk; silently not possible on some file systems."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_directories(paths: Iterable[str]) -> None:
    """Put the names in these directories on the disk, those of a directory before its own name in the one above."""
    for path in sorted(set(paths), key=len, reverse=True):
        sync_directory(Path(path))


def inside(root: Path, relative: str) -> Path:
    """`root/relative` for a path from outside; one that is absolute or climbs out of its root is a FormatError."""
    pure = PurePosixPath(relative)
    if not relative or pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative:
        raise FormatError(f"path {relative!r} leads out of its directory")
    return root.joinpath(*pure.parts)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made when absent) among threads and processes of this machine; waits for it."""
    make_directories(path.parent)
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab") as file:
        lock(file.fileno(), path)
        yield


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Wait until no other process puts bundles here; where the file system has no locks, trust that none does."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def lock(handle: int, path: Path, *, wait: bool = True) -> bool:
    """Lock an open file for ourselves alone; False when another holds it and nobody is to `wait`.

    OSError with ENOLCK and the path where the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as err:
        code = errno.ENOLCK if err.errno in _NO_LOCKS else err.errno
        raise OSError(code, os.strerror(code or 0), str(path)) from err
    return True


def replace_directory(new: Path, target: Path) -> None:
    """Put the directory `new` in the place of `target` in one step where the system can (Linux), else in two renames.

    What was at `target` is removed afterwards. Both must lie on one file system. The files in `new` are on the disk
    already (see `writing` and `place`); their names are before it takes its place.
    """
    sync_directories(path for path, _, _ in os.walk(new))
    if not target.exists():
        make_directories(target.parent)
        new.rename(target)
    elif _exchange(new, target):
        shutil.rmtree(new)
    else:
        old = temporary(target)
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old)
    sync_directory(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names (renameat2 with RENAME_EXCHANGE); False where there is no such call."""
    renameat2 = c_function("renameat2")
    if renameat2 is None:
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


def c_function(name: str) -> Callable[..., int] | None:
    """A call of the C library that Python lacks; None where there is no such."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return None
    return found
