"""The mark of a verified blob: a modification time that follows from its digest."""

import contextlib
import os
from functools import cache
from pathlib import Path

from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest

_MARK_BASE = 1_000_000_000  # seconds since 1970

SECOND = 1_000_000_000  # nanoseconds


def mark_of(digest: Digest) -> int:
    """The modification time, in seconds since 1970, of a verified blob: even, so that FAT keeps it too."""
    return _MARK_BASE + 2 * int(digest.hex[:6], 16)


Identity = tuple[int, int, int, int, int]


def identity_of(stat: os.stat_result) -> Identity:
    """What tells a file from every other one, and from itself after a write, or with one more link to it.

    Whoever sets the time of modification back changes the time of change by it, which nobody can set.
    """
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def mark(path: Path, digest: Digest) -> None:
    with contextlib.suppress(PermissionError):  # somebody else's cache: it will be hashed at each use
        os.utime(path, (mark_of(digest), mark_of(digest)))


def unmark(path: Path, digest: Digest) -> None:
    """Take the mark from a file that is not what it says: whoever uses it next reads it, and makes it anew."""
    with contextlib.suppress(OSError):
        if path.stat().st_mtime_ns // SECOND == mark_of(digest):
            os.utime(path, (0, 0))


def mark_until_reboot(path: Path, digest: Digest) -> bool:
    """Mark a blob with a time whose nanoseconds name this boot; False where boots can't be told apart."""
    boot, time = this_boot(), mark_of(digest) * SECOND
    if not boot:
        return False
    os.utime(path, ns=(time + boot, time + boot))
    return path.stat().st_mtime_ns == time + boot


@cache
def this_boot() -> int:
    """A number of nanoseconds below a second that stands for this boot of the machine; 0 where there is no telling."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return 0
    return 1 + int(Digest.of(name).hex[:12], 16) % (SECOND - 1)


def is_marked(path: Path, descriptor: Descriptor) -> bool:
    """Whether a file has the size of the blob and the mark of having been verified as it."""
    try:
        stat = path.stat()
    except OSError:
        return False
    seconds, rest = divmod(stat.st_mtime_ns, SECOND)
    return stat.st_size == descriptor.size and seconds == mark_of(descriptor.digest) and rest in (0, this_boot())
