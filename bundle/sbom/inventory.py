"""The packages of one image, told from its layers: package databases, Python distributions, Node packages."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from bundle.errors import FormatError
from bundle.sbom import _alpine as alpine
from bundle.sbom import _debian as debian
from bundle.sbom import _rpm as rpm
from bundle.sbom import _rpm as rpm_database
from bundle.sbom import package as system
from bundle.sbom._filesystem import FileSystem, OpenZstd, open_layer
from bundle.sbom._wanted import Licences, Unread, Value, may_lead, wanted, weigh
from bundle.sbom.package import Package, System
from bundle.storage.scratch import scratch_directory

LOOKED_FOR = ("deb", "apk", "rpm", "pypi", "npm")
_MOST_PACKAGES = 200_000
_MOST_SHARED = 16 * 1024**2  # bytes, about, of what is kept for other images

Chain = tuple[Path, ...]
"""The files of layers that were put on each other, base first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBlob:
    """One layer: its name in messages and its file, or why it can't be used."""

    name: str
    path: Path
    unusable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an image holds: packages sorted by purl, the distribution, and in words what was not read."""

    packages: tuple[Package, ...]
    system: System
    not_read: tuple[str, ...]


class SharedLayers:
    """What images that are listed side by side begin with in common: the first to come to layers reads them for all.

    RPM's databases belong to one image alone: what has one is read for each.
    """

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._guards: defaultdict[Chain, threading.Lock] = defaultdict(threading.Lock)
        self._known: dict[Chain, tuple[FileSystem[Value], str]] = {}
        self._weight = 0

    def add(self, files: FileSystem[Value], below: Chain, layer: LayerBlob, open_zstd: OpenZstd) -> str:
        """Put a layer on top of those `below` it, which are all that was put into `files`; why not, or nothing."""
        chain = (*below, layer.path)
        with self._adding:
            guard = self._guards[chain]
        with guard:
            if chain in self._known:
                known, reason = self._known[chain]
                files.begin_as(known)
                return reason
            reason = _add(files, layer, open_zstd)
            with self._adding:
                if self._weight + files.weight <= _MOST_SHARED and not _has_database(files):
                    kept: FileSystem[Value] = FileSystem(partial(wanted, Path()), may_lead, weigh)
                    kept.begin_as(files)
                    self._known[chain] = (kept, reason)
                    self._weight += files.weight
            return reason


def take_inventory(
    layers: Sequence[LayerBlob], *, open_zstd: OpenZstd, room: Path, shared: SharedLayers | None = None
) -> Inventory:
    """Read the layers, base first. What can't be read is said in the result, and is no error; an OSError comes through.

    Memory stays below about 100 MB whatever is in them; RPM's databases take space in the directory `room` meanwhile.
    Layers that `shared` has by now are not read again.
    """
    shared = shared or SharedLayers()
    not_read: list[str] = []
    with scratch_directory(room, "sbom-") as scratch:
        files: FileSystem[Value] = FileSystem(partial(wanted, scratch), may_lead, weigh)
        below: Chain = ()
        for layer in layers:
            if reason := layer.unusable or shared.add(files, below, layer, open_zstd):
                not_read.append(f"{layer.name}: {reason}")
            if not layer.unusable:
                below = (*below, layer.path)
        found = _Found(files)
        packages = tuple(islice(found.packages(), _MOST_PACKAGES + 1))
    if len(packages) > _MOST_PACKAGES:
        not_read.append(f"the packages after the first {_MOST_PACKAGES}")
    return Inventory(
        packages=merged(packages[:_MOST_PACKAGES]), system=found.system, not_read=(*not_read, *found.not_read)
    )


def merged(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Each package once, with all its places and licences, sorted by purl."""
    by_purl: dict[str, list[Package]] = {}
    for package in packages:
        by_purl.setdefault(package.purl, []).append(package)
    return tuple(
        replace(
            same[0],
            licences=tuple(dict.fromkeys(licence for each in same for licence in each.licences)),
            places=tuple(sorted({place for each in same for place in each.places})),
        )
        for _, same in sorted(by_purl.items())
    )


def _add(files: FileSystem[Value], layer: LayerBlob, open_zstd: OpenZstd) -> str:
    """Put a layer on top of the others; why it can't be read, or nothing."""
    try:
        files.add(partial(open_layer, layer.path, open_zstd))
    except FormatError as err:
        return err.what
    return ""


def _has_database(files: FileSystem[Value]) -> bool:
    return any(isinstance(value, Path) for value in files.files().values())


class _Found:
    """What the files that are left tell: the system at once, the rest as `packages` goes on."""

    def __init__(self, files: FileSystem[Value]) -> None:
        self.not_read: list[str] = []
        self._find = files.find
        self._files = files.files()
        self.system = next((System.parse(value) for _, value in self._texts(*system.PLACES)), System())

    def packages(self) -> Iterator[Package]:
        """All packages; at its end `not_read` says what else there is."""
        count = 0
        for package in (*self._debian(), *self._alpine(), *self._rpm()):
            count += 1
            yield package
        if not count and self.system.id:
            self.not_read.append(f"packages of {self.system.title}: no database of dpkg, apk or rpm lists any")
        yield from (value for value in self._files.values() if isinstance(value, Package))
        self._tell_unread()

    def _texts(self, *places: str) -> Iterator[tuple[str, bytes]]:
        """The files at these places as bytes, each once, by their real paths."""
        found = dict(each for place in places if (each := self._find(place)))
        return ((place, value) for place, value in found.items() if isinstance(value, bytes))

    def _debian(self) -> Iterator[Package]:
        directory = (place for place in self._files if place.startswith(debian.STATUS_DIRECTORY))
        for place, value in self._texts(debian.STATUS, *directory):
            yield from debian.read_status(value, place, self.system, self._licences)

    def _licences(self, name: str) -> Licences:
        found = self._find(debian.copyright_path(name))
        return found[1] if found and isinstance(found[1], tuple) else ()

    def _alpine(self) -> Iterator[Package]:
        for place, value in self._texts(*alpine.PLACES):
            yield from alpine.read_installed(value, place, self.system)

    def _rpm(self) -> Iterator[Package]:
        for place, path in self._files.items():
            if not isinstance(path, Path) or path.name == rpm_database.SQLITE_WAL:
                continue
            if place.replace(path.name, rpm_database.SQLITE_WAL) not in self._files:
                path.with_name(rpm_database.SQLITE_WAL).unlink(missing_ok=True)  # a later layer removed it
            try:
                yield from tuple(rpm.read_headers(rpm_database.read_database(path), place, self.system))
            except FormatError as err:
                self.not_read.append(f"{place}: {err.what}")

    def _tell_unread(self) -> None:
        examples: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for place, value in self._files.items():
            if isinstance(value, Unread) and value.why:
                self.not_read.append(f"{place}: {value.why}")
            elif isinstance(value, Unread):
                counts[value.kind] += 1
                examples.setdefault(value.kind, place)
        self.not_read += [f"{kind}: {count}, such as {examples[kind]}" for kind, count in sorted(counts.items())]
