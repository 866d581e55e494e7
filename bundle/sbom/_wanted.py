"""Which files of an image tell of its packages, and how each is read as it passes by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bundle.images.layers.stream import LayerStream
from bundle.sbom import _alpine as alpine
from bundle.sbom import _debian as debian
from bundle.sbom import _languages
from bundle.sbom import _languages as node
from bundle.sbom import _rpm as rpm_database
from bundle.sbom import package as system
from bundle.sbom._filesystem import Read
from bundle.sbom._licences import from_copyright
from bundle.sbom.package import Package
from bundle.storage.files import make_directories
from bundle.storage.tar_reader import Member

_MAX_DATABASE = (
    256 * 1024**2
)  # bytes of an RPM database, which is put on the disk; one of 5000 packages has 150 million
_MAX_STATUS = 32 * 1024**2  # bytes; that of a full desktop has 5 million
_MAX_SMALL = 1024**2  # bytes
_HEAD = 256 * 1024  # bytes of Python's metadata; a description of any length follows its fields

_STATUSES = frozenset({debian.STATUS, *alpine.PLACES})
_DATABASES = frozenset(
    f"{directory}/{name}"
    for directory in rpm_database.DIRECTORIES
    for name in (rpm_database.SQLITE, rpm_database.SQLITE_WAL, rpm_database.NDB, rpm_database.BERKELEY)
)
# Packages of which it is only known that they are there.
_UNREAD: Mapping[str, re.Pattern[str]] = {
    "Java archives": re.compile(r".+\.(?:jar|war|ear)"),
    "Ruby gems": re.compile(r".+/specifications/[^/]+\.gemspec"),
    "Conda packages": re.compile(r"(?:.+/)?conda-meta/[^/]+\.json"),
    "PHP packages of Composer": re.compile(r"(?:.+/)?vendor/composer/installed\.json"),
    ".NET packages": re.compile(r".+\.deps\.json"),
    "packages of pacman": re.compile(r"var/lib/pacman/local/[^/]+/desc"),
    "packages of opkg": re.compile(r"usr/lib/opkg/status"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that tells of packages and was not read: `kind` of which many are counted, or why it alone was not."""

    kind: str = ""
    why: str = ""


Licences = tuple[str, ...]
Value = bytes | Path | Package | Licences | Unread | None


def wanted(scratch: Path, name: str) -> Read[Value] | None:
    """What reads the file at a path; None where it tells of no package. RPM's databases are put below `scratch`."""
    read: Read[Value] | None = None
    if name in _STATUSES:
        read = partial(_raw, _MAX_STATUS)
    elif name in system.PLACES or name.startswith(debian.STATUS_DIRECTORY):
        read = partial(_raw, _MAX_SMALL)
    elif name in _DATABASES:
        read = partial(_database, scratch / name)
    elif name.startswith(debian.COPYRIGHTS) and name.endswith("/copyright"):
        read = _copyright
    elif node.PACKAGE.fullmatch(name):
        read = partial(_package, name)
    elif _languages.METADATA.fullmatch(name):
        read = partial(_metadata, name)
    elif kind := next((kind for kind, pattern in _UNREAD.items() if pattern.fullmatch(name)), ""):
        read = partial(_unread, kind)
    return read


def may_lead(name: str) -> bool:
    """Whether a symbolic link at a path may lead to files that are looked for by their place."""
    return name in _ON_THE_WAY or (name.startswith(debian.COPYRIGHTS) and name.count("/") <= 4)


def weigh(value: Value) -> int:
    """About how many bytes of memory a value takes."""
    if isinstance(value, bytes):
        return len(value)
    licences = value.licences if isinstance(value, Package) else value if isinstance(value, tuple) else ()
    return 500 + sum(50 + len(licence) for licence in licences)


def _on_the_way(place: str) -> frozenset[str]:
    """A path and the directories that it lies in."""
    parts = place.split("/")
    return frozenset("/".join(parts[: count + 1]) for count in range(len(parts)))


_PLACES = (*_STATUSES, *_DATABASES, *system.PLACES, "usr/share/doc", "var/lib/dpkg/status.d")
_ON_THE_WAY = frozenset[str]().union(*map(_on_the_way, _PLACES))


def _raw(limit: int, member: Member, stream: LayerStream) -> Value:
    return stream.read(member.size) if member.size <= limit else _too_large(member)


def _copyright(member: Member, stream: LayerStream) -> Value:
    return from_copyright(stream.read(min(member.size, _MAX_SMALL)).decode(errors="replace"))


def _metadata(name: str, member: Member, stream: LayerStream) -> Value:
    return _languages.read_metadata(stream.read(min(member.size, _HEAD)), name)


def _package(name: str, member: Member, stream: LayerStream) -> Value:
    return node.read_package(stream.read(member.size), name) if member.size <= _MAX_SMALL else _too_large(member)


def _unread(kind: str, member: Member, stream: LayerStream) -> Value:
    return Unread(kind=kind)


def _database(path: Path, member: Member, stream: LayerStream) -> Value:
    if member.size > _MAX_DATABASE:
        return _too_large(member)
    make_directories(path.parent)
    with path.open("wb") as file:
        for chunk in stream.chunks(member.size):
            file.write(chunk)
    return path


def _too_large(member: Member) -> Unread:
    return Unread(why=f"its {member.size} bytes are too many")
