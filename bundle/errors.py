"""Every error a user can cause or meet, under one root class."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal


class AirgapError(Exception):
    """A failure that is told to the user in one message: what failed, observed against expected, the next step.

    `what` is the sentence about the failure, `hint` the next step (empty when there is none).
    """

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  next: {self.hint}" if self.hint else self.what


class FormatError(AirgapError):
    """A value from outside (reference, digest, size, platform, manifest) that does not follow its grammar."""


class IntegrityError(AirgapError):
    """Bytes that are not what their digest or size says."""


class SourceError(AirgapError):
    """A source (registry, layout, archive, repository, file) that can't give what was asked of it."""


class NetworkError(SourceError):
    """A host that could not be reached or did not answer in time, after the retries."""


class AbsentError(SourceError):
    """Content that an image's manifest names, and its source does not hold."""


class RegistryError(SourceError):
    """A registry's or server's refusal: HTTP status and the error code of its body (empty without one).

    `host` is who answered, which is another than was asked where that redirects; empty where it is the one asked.
    """

    def __init__(self, what: str, *, status: int, code: str = "", hint: str = "", host: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.code = code
        self.host = host


class SignatureError(AirgapError):
    """An image or a chart that its publisher's key, as the spec names it, did not sign."""


class EngineError(SourceError):
    """What a Docker Engine refused or could not do; `status` is that of its answer, 0 where it gave none."""

    def __init__(self, what: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status


class ProgramError(AirgapError):
    """A program of the machine (helm, kubectl, an action's command) that could not be run, or did not end in time.

    `reason` says why in a few words, for messages that name the program themselves; it may be empty.
    """

    def __init__(self, what: str, *, reason: str = "", hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.reason = reason


class MissingToolError(ProgramError):
    """A program that is not installed where we look for it."""


ClusterReason = Literal[
    "", "unreachable", "untrusted", "unauthorized", "forbidden", "not found", "exists", "conflict", "invalid"
]


class ClusterError(AirgapError):
    """What the Kubernetes API refused or could not do; `reason` is the kind of refusal, empty for any other."""

    def __init__(self, what: str, *, reason: ClusterReason = "", hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.reason = reason


class ReleaseError(AirgapError):
    """A Helm release that could not be installed, upgraded, read or removed."""


class StorageError(AirgapError):
    """The local file system refused: full, read-only, no permission."""


class LockError(AirgapError):
    """The lock file can't be read, or what is there is not what it pins."""


class ProblemsError(AirgapError):
    """Several findings at once, each already one line or block of text, in the order to show them."""

    def __init__(self, what: str, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__("\n".join([what, *(f"  {problem}" for problem in problems)]), hint=hint)
        self.problems = tuple(problems)


class SpecError(ProblemsError):
    """All problems of one spec, each as `file:line:column: what, expected, hint`."""


class BundleError(ProblemsError):
    """All missing, extra or damaged items of one bundle."""


class TrustError(AirgapError):
    """A bundle that nobody whom the site trusts has vouched for."""


class ProofError(ProblemsError):
    """Why a release would not come up inside: images that the bundle does not bring, more than Helm can store."""


_STORAGE_HINTS = {
    errno.ENOSPC: "free some space or choose another place with out=DIR or state=DIR; finished parts are kept",
    errno.EDQUOT: "raise the quota or choose another place with out=DIR or state=DIR; finished parts are kept",
    errno.EROFS: "choose a writable place with out=DIR or state=DIR",
    errno.EACCES: "grant the permission or choose another place with out=DIR or state=DIR",
    errno.EPERM: "grant the permission or choose another place with out=DIR or state=DIR",
    errno.EFBIG: (
        "the file system holds no file of this size: set bundle.split to less than it holds (for FAT32 split: 4095MiB)"
    ),
    errno.ENOLCK: "this file system has no file locks: choose a place on a local disk with out=DIR or state=DIR",
}
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PASSING = "airgap-"  # how the names of our scratch directories there begin
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class NoRoomError(OSError):
    """The file system has not the room for `wanted` bytes at `path`."""

    def __init__(self, code: int, path: str, wanted: int) -> None:
        super().__init__(code, os.strerror(code), path)
        self.wanted = wanted


@contextmanager
def storage_errors(doing: str, place: Path, *, wanted: int = 0) -> Iterator[None]:
    """Turn an OSError of the body into a StorageError that names what was being done, and where.

    `doing` completes "can't ...", for example "write image 'api'". `Path()` is no place: it is left out. Of a full disk
    it says how much is free there, on which file system, and how much was `wanted` (bytes, 0 where that is not known).
    """
    try:
        yield
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno else str(err)
        named = err.filename if isinstance(err.filename, str) else str(place)
        where = "" if named == str(Path()) else f"{named}: "
        if err.errno in NO_ROOM and where:
            reason += _lack(Path(named), err.wanted if isinstance(err, NoRoomError) else wanted)
        hint = _STORAGE_HINTS.get(err.errno or 0, "")
        if hint and _is_passing(Path(named)):
            hint = "free some space there, or name another directory for temporary files: TMPDIR=DIR"
        raise StorageError(f"can't {doing}: {where}{reason}", hint=hint) from err


def free_space(path: Path) -> tuple[int, str]:
    """The bytes that this account can still write where a path lies, or would lie, and that file system's name.

    The name is for messages: `/mnt/usb (vfat)`. OSError where it can't be asked.
    """
    place = existing_place(path)
    found = os.statvfs(place)
    mount, kind = max(_mounts(place.resolve()), key=lambda each: len(each[0]), default=("", ""))
    return found.f_bavail * found.f_frsize, f"{mount} ({kind})" if mount else "its file system"


def existing_place(path: Path) -> Path:
    """The path itself, or the nearest directory above it that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _is_passing(path: Path) -> bool:
    """Whether a path is that of a scratch directory of ours in the system's place for temporary files, or below it."""
    from tempfile import gettempdir  # noqa: PLC0415 - only failures ask for it

    with contextlib.suppress(OSError):
        place = Path(gettempdir())
        return path.is_relative_to(place) and path != place and path.relative_to(place).parts[0].startswith(_PASSING)
    return False


def _lack(path: Path, wanted: int) -> str:
    """How much there is, against what was wanted, as the rest of a message."""
    try:
        free, name = free_space(path)
    except OSError:
        return ""
    expected = f"expected {wanted / 1e6:.1f} MB free, " if wanted else ""
    return f": {expected}found {free / 1e6:.1f} MB free on {name}"


def _mounts(place: Path) -> Iterator[tuple[str, str]]:
    """Where what may hold the path is mounted, and as what (proc_pid_mountinfo(5)), the newest first."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return
    for line in reversed(lines):
        before, _, after = line.partition(b" - ")
        mount = _ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), before.split()[4])
        if place.is_relative_to(os.fsdecode(mount)):
            yield os.fsdecode(mount), os.fsdecode(after.split()[0])
