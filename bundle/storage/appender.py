"""A file that grows at its end by what other files hold: it shares their blocks where the file system can.

Whole blocks are cloned (ioctl_ficlonerange(2): XFS, btrfs and others) where they begin on a block's border in both.
Everywhere else a byte passes this program once: other threads hash it, for the whole and for whoever wants to see it,
while the system writes it.
"""

import contextlib
import ctypes
import os
import struct
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK, c_function
from bundle.storage.volume import FilePiece

try:
    import fcntl
except ImportError:  # Windows, where bundles are only verified: nothing is cloned
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from concurrent.futures import Future

BLOCK = 4096  # bytes; the border that members of a tar begin on, so that file systems can share their blocks
_FICLONERANGE = 0x4020940D  # linux/fs.h
_START_WRITING = 2  # linux/fs.h: SYNC_FILE_RANGE_WRITE
_STRIDE = 16 * 1024 * 1024  # bytes that are handed to the disk at once, while the next ones are copied
_AHEAD = 2  # chunks that may wait for each thread
_BUFFERS = _AHEAD + 2  # one is being seen, one is being filled

See = Callable[[bytes | memoryview], object]
"""Is shown bytes, which are others as soon as it has returned."""


class _Follower:
    """A thread that is shown chunks in their order, a few behind."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - takes 3 ms, and most commands pack nothing

        self._pool = ThreadPoolExecutor(1)
        self._pending: deque[Future[object]] = deque()

    def show(self, see: See, data: bytes | memoryview) -> None:
        self.settle(_AHEAD)
        self._pending.append(self._pool.submit(see, data))

    def settle(self, left: int = 0) -> None:
        """Wait until no more than so many chunks are left to see; what `see` raised comes through."""
        while len(self._pending) > left:
            self._pending.popleft().result()

    def end(self) -> None:
        self._pool.shutdown()


class Appender:
    """Appends to an open file and knows sha256 and number of the bytes. Use it as a context manager.

    The handle is the caller's: it is neither synced nor closed here. An OSError of either file comes through.
    """

    def __init__(self, handle: int) -> None:
        self.size = 0
        self._handle = handle
        self._hasher = sha256()
        self._sum, self._member = _Follower(), _Follower()
        self._buffers: list[memoryview] = []  # used in turn: fresh memory for each chunk costs as much as reading it
        self._turn = 0
        self._foreign: set[int] = set()  # file systems whose blocks can't be shared
        self._handed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        self._sum.end()
        self._member.end()

    @property
    def digest(self) -> Digest:
        """The digest of what was appended so far."""
        self._sum.settle()
        return Digest(algorithm="sha256", hex=self._hasher.hexdigest())

    def write(self, data: bytes | memoryview, /) -> None:
        """Append bytes that are in memory."""
        self._hash(data)
        self._write(data)

    def copy(self, piece: FilePiece, see: See | None = None) -> int:
        """Append a piece of a file and return how many bytes that were; `see` was shown each chunk then."""
        shared = self._clone(piece)
        done = 0
        while done < piece.size:
            buffer = self._buffer()[: piece.size - done]
            count = os.preadv(piece.file.fileno(), [buffer], piece.offset + done)
            if not count:
                break
            chunk = buffer[:count]
            self._hash(chunk)
            if see:
                self._member.show(see, chunk)
            fresh = chunk[max(0, shared - done) :]
            done += count
            if fresh:
                self._write(fresh)
        self._member.settle()
        return done

    def _buffer(self) -> memoryview:
        """The next of the buffers: both threads have seen what was in it."""
        if not self._buffers:
            self._buffers = [memoryview(bytearray(CHUNK)) for _ in range(_BUFFERS)]
        self._turn = (self._turn + 1) % _BUFFERS
        return self._buffers[self._turn]

    def _clone(self, piece: FilePiece) -> int:
        """Share the blocks of a piece as far as whole ones are in it; how many bytes that were, 0 where it can't be."""
        whole = piece.size - piece.size % BLOCK
        if not whole or self.size % BLOCK or piece.offset % BLOCK:
            return 0
        source = piece.file.fileno()
        device = os.fstat(source).st_dev
        if device in self._foreign:
            return 0
        try:
            fcntl.ioctl(self._handle, _FICLONERANGE, struct.pack("qQQQ", source, piece.offset, whole, self.size))
        except OSError:
            self._foreign.add(device)
            return 0
        self._handed = os.lseek(self._handle, self.size + whole, os.SEEK_SET)
        return whole

    def _hash(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        self._sum.show(self._hasher.update, data)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]
        if self.size - self._handed >= _STRIDE:
            _start_writing(self._handle, self._handed, self.size - self._handed)
            self._handed = self.size


def _start_writing(handle: int, offset: int, size: int) -> None:
    """Have the system begin to write what is in memory (sync_file_range(2)): a sync later has less to wait for."""
    begin = c_function("sync_file_range")
    if begin:
        with contextlib.suppress(OSError):
            begin(handle, ctypes.c_int64(offset), ctypes.c_int64(size), _START_WRITING)
