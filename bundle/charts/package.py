"""Helm charts as archives: packaged so that the same files give the same bytes, read without trusting them.

The format is `helm package`'s (a gzipped tar of files below one directory named as the chart); the bytes are not, since
Helm's carry the time of packaging. The gzip stream holds stored blocks, as what deflate makes depends on the zlib.
"""

import gzip
import io
import os
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bundle.charts._helmignore import FILE_NAME, IgnoreRules
from bundle.errors import FormatError, SourceError, storage_errors
from bundle.storage.tar_reader import Member, members
from bundle.storage.volume import ChunkStream

MAX_UNPACKED = 100 * 1024 * 1024  # bytes; Helm's own bound for a whole chart

_MAX_PACKAGES = 200  # charts packed in a chart, at any depth
_CHUNK = 256 * 1024  # bytes
_GZIP_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # RFC 1952: deflate, no flags, no time, unknown system
_STORED_MAX = 0xFFFF  # RFC 1951 3.2.4: bytes in one stored block


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ChartFile:
    """A file of a chart directory: its name in the chart, with slashes, and where it is (no link)."""

    name: str
    path: Path


def list_chart(directory: Path, *, subject: str, say: Callable[[str], None] = lambda _: None) -> tuple[ChartFile, ...]:
    """The files that belong to the chart in `directory`, sorted by name: all but those its .helmignore leaves out.

    Links are followed, as Helm follows them; one that leads out of the directory is told of by `say`. A SourceError
    names a link that leads nowhere or in a circle, and anything that is neither a file nor a directory.
    """
    with storage_errors(f"read {subject}", directory):
        root = directory.resolve(strict=True)
        rules = _rules(root, subject)
        return tuple(sorted(_walk((root,), "", _Walk(rules=rules, subject=subject, say=say))))


def package_chart(directory: Path, *, name: str, subject: str, say: Callable[[str], None] = lambda _: None) -> bytes:
    """The chart in `directory` as the bytes of a .tgz whose top directory is `name`; see list_chart for the rest."""
    files = list_chart(directory, subject=subject, say=say)
    with storage_errors(f"read {subject}", directory):
        size = sum(file.path.stat().st_size for file in files)
        if size > MAX_UNPACKED:
            raise SourceError(
                f"{subject}: the files in {directory} have {size} bytes, Helm reads charts up to {MAX_UNPACKED}",
                hint=f"leave out what the chart does not need in {FILE_NAME}",
            )
        return pack((f"{name}/{file.name}", file.path.read_bytes()) for file in files)


def pack(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A .tgz of these names and contents, in their order, the same bytes on every machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(data))
    return _gzip_stored(buffer.getvalue())


@dataclass(slots=True)
class Room:
    """What a chart may still take, its packaged subcharts included: bytes unpacked, and packages."""

    size: int = MAX_UNPACKED
    packages: int = _MAX_PACKAGES


def read_archive(
    data: bytes, *, keep: Callable[[str], bool], subject: str, room: Room | None = None
) -> Mapping[str, bytes]:
    """Those files of a packaged chart that `keep` chooses by name (below the top directory, with slashes).

    The whole archive is read: a FormatError names what Helm would refuse or what could do harm: no gzipped tar, paths
    that lead out, devices, a name that comes twice, more than there is `room` for. A link is an empty file, as in Helm:
    nobody follows it. Who reads the packages in a package gives the same room to all of them.
    """
    room = room or Room()
    room.packages -= 1
    if room.packages < 0:
        raise FormatError(f"{subject}: there are more than {_MAX_PACKAGES} packages in the chart")
    try:
        found = dict(_files(ChunkStream(_unpacked(data, room, subject)), keep, subject))
    except FormatError as err:
        if err.what.startswith(f"{subject}: "):
            raise
        raise FormatError(f"{subject}: not a packaged chart (a gzipped tar): {err.what}") from err
    except (EOFError, zlib.error, OSError) as err:
        raise FormatError(f"{subject}: not a packaged chart (a gzipped tar): {err}") from err
    return found


def _files(stream: ChunkStream, keep: Callable[[str], bool], subject: str) -> Iterator[tuple[str, bytes]]:
    """The files that `keep` chooses, after whose last one the whole stream was read."""
    seen: set[str] = set()
    for member in members(stream, clean=_below):
        if member.kind == "directory":
            continue
        name = _checked_name(member, subject)
        if name in seen:
            raise FormatError(f"{subject}: the archive holds {member.name!r} twice")
        seen.add(name)
        if keep(name):
            yield name, stream.read(member.size)
    while stream.read(_CHUNK):
        pass
    if not seen:
        raise FormatError(f"{subject}: the archive holds no files")


def _rules(root: Path, subject: str) -> IgnoreRules:
    path = root / FILE_NAME
    try:
        return IgnoreRules.parse(path.read_text("utf-8") if path.is_file() else "")
    except (FormatError, UnicodeDecodeError) as err:
        reason, hint = (err.what, err.hint) if isinstance(err, FormatError) else (str(err), "")
        raise FormatError(f"{subject}: {path}: {reason}", hint=hint) from err


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """What a walk through a chart's directory goes by."""

    rules: IgnoreRules
    subject: str
    say: Callable[[str], None]


def _walk(above: tuple[Path, ...], prefix: str, by: _Walk) -> Iterator[ChartFile]:
    """Files of the last directory of `above`, the directories (no links among them) that the walk came through."""
    for entry in sorted(os.listdir(above[-1])):
        name, path = f"{prefix}{entry}", above[-1] / entry
        if by.rules.ignores(name, is_directory=path.is_dir()):
            continue
        real = _followed(path, above, by) if path.is_symlink() else path
        mode = real.stat().st_mode
        if stat.S_ISDIR(mode):
            yield from _walk((*above, real), f"{name}/", by)
        elif stat.S_ISREG(mode):
            yield ChartFile(name=name, path=real)
        else:
            raise SourceError(f"{by.subject}: {path} is neither a file nor a directory", hint=f"name it in {FILE_NAME}")


def _followed(link: Path, above: tuple[Path, ...], by: _Walk) -> Path:
    """Where a link leads."""
    try:
        real = link.resolve(strict=True)
    except FileNotFoundError as err:
        what = f"{by.subject}: the link {link} leads to {os.readlink(link)}, which is not there"
        raise SourceError(what, hint=f"remove the link, or name it in {FILE_NAME}") from err
    except RuntimeError as err:  # a link to itself, in Python 3.11 and 3.12; later ones raise OSError
        what = f"{by.subject}: the link {link} is a circular reference"
        raise SourceError(what, hint=f"name it in {FILE_NAME}") from err
    if any(real == each or each.is_relative_to(real) for each in above):
        what = f"{by.subject}: the link {link} is a circular reference"
        raise SourceError(what, hint=f"name it in {FILE_NAME}")
    if not real.is_relative_to(above[0]):
        by.say(f"the link {link} leads out of the chart, to {real}, whose content is packaged, as Helm does")
    return real


def _below(name: str) -> str | None:
    """An entry's name as a path; archives made on Windows may separate by backslashes, as in Helm. None: leads out."""
    pure = PurePosixPath(name.replace("\\", "/"))
    leads_out = pure.is_absolute() or ".." in pure.parts or "\0" in name or (pure.parts and ":" in pure.parts[0])
    return None if leads_out else str(pure)


def _checked_name(member: Member, subject: str) -> str:
    """The member's name below the top directory."""
    pure = PurePosixPath(member.name)
    if member.kind == "unsafe":
        raise FormatError(f"{subject}: the archive holds {member.name!r}, which leads out of its directory")
    if member.kind not in ("file", "symlink", "hardlink"):
        raise FormatError(
            f"{subject}: the archive holds {member.name!r}, which is neither a file nor a link",
            hint="make the archive with `helm package`",
        )
    if len(pure.parts) < 2:
        raise FormatError(
            f"{subject}: the archive holds {member.name!r} outside of the chart's directory",
            hint="make the archive with `helm package`",
        )
    return "/".join(pure.parts[1:])


def _unpacked(data: bytes, room: Room, subject: str) -> Iterator[bytes]:
    """What a gzip file holds, as far as there is room for it."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        while chunk := stream.read(_CHUNK):
            room.size -= len(chunk)
            if room.size < 0:
                raise FormatError(f"{subject}: the archive unpacks to more than {MAX_UNPACKED} bytes")
            yield chunk


def _gzip_stored(data: bytes) -> bytes:
    """Gzip (RFC 1952) without compression: one member of stored blocks."""
    blocks = [_GZIP_HEADER]
    for start in range(0, max(len(data), 1), _STORED_MAX):
        block = data[start : start + _STORED_MAX]
        last = start + _STORED_MAX >= len(data)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*blocks, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])
