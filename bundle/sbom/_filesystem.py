"""What is left of some files after all layers were put on each other (OCI image-spec layer.md, "Changeset").

Only files that somebody wants are looked at, each read once as it passes by: layers are streamed, and are not unpacked.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, TypeVar

from bundle.errors import FormatError
from bundle.images.layers.changes import Hidden, entries, follow, inside, parents
from bundle.images.layers.stream import ZSTD, LayerStream, unpacked
from bundle.storage.files import CHUNK
from bundle.storage.tar_reader import Member

_T = TypeVar("_T")
_MOST_WEIGHT = 64 * 1024**2  # bytes, about, of what is kept of one image
_NAME_WEIGHT = 100  # bytes, about, of a name

Read = Callable[[Member, LayerStream], _T]
"""Reads a file of a layer, from the stream that stands at its first byte."""


@dataclass(slots=True)
class _Changes(Generic[_T]):
    """What one layer changes: files and links that it has, names that it hides in the layers below."""

    files: dict[str, _T] = field(default_factory=dict)
    symlinks: dict[str, str] = field(default_factory=dict)
    hard_links: dict[str, str] = field(default_factory=dict)
    hidden: Hidden = field(default_factory=Hidden)
    weight: int = 0


class FileSystem(Generic[_T]):
    """The wanted files of an image, by their paths from its root without a slash in front.

    `wanted` gives what reads a file of a path, or None for one that nobody wants; what it gives is kept as the file's
    value, and `weigh` says how many bytes of memory that takes. `linked` says whether a symbolic link at a path may
    lead to wanted files.
    """

    def __init__(
        self,
        wanted: Callable[[str], Read[_T] | None],
        linked: Callable[[str], bool],
        weigh: Callable[[_T], int],
    ) -> None:
        self._wanted = wanted
        self._linked = linked
        self._weigh = weigh
        self._files: dict[str, _T] = {}
        self._symlinks: dict[str, str] = {}
        self._parents: set[str] = set()
        self._weight = 0

    def add(self, open_layer: Callable[[], AbstractContextManager[LayerStream]]) -> None:
        """Put a layer on top. FormatError for one that can't be read to its end: nothing of it counts then.

        It is opened a second time where a wanted file is a hard link to one with another name.
        """
        with open_layer() as stream:
            changes = self._scan(stream)
        loose = {name: target for name, target in changes.hard_links.items() if target not in changes.files}
        for name, target in changes.hard_links.items():
            if target in changes.files:
                changes.files[name] = changes.files[target]
        if loose:
            with open_layer() as stream:
                self._read_targets(stream, loose, changes)
        self._apply(changes)

    def begin_as(self, other: "FileSystem[_T]") -> None:
        """Take the layers that another one has by now for those below the ones that are added here."""
        self._files, self._symlinks = dict(other._files), dict(other._symlinks)
        self._parents, self._weight = set(other._parents), other._weight

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return self._weight

    def files(self) -> Mapping[str, _T]:
        """The files that are left, by path, sorted."""
        return dict(sorted(self._files.items()))

    def find(self, path: str) -> tuple[str, _T] | None:
        """The file at a path, links on the way followed, and its real path; None when there is none."""
        real = follow(path, self._symlinks.get)
        return (real, self._files[real]) if real is not None and real in self._files else None

    def _scan(self, stream: LayerStream) -> "_Changes[_T]":
        changes: _Changes[_T] = _Changes()
        for member in entries(stream):
            if self._weight + changes.weight > _MOST_WEIGHT:
                raise FormatError(f"what it tells of packages takes more than {_MOST_WEIGHT // 1024**2} MiB")
            if changes.hidden.note(member.name):
                changes.weight += _NAME_WEIGHT
            elif member.name:
                self._note(changes, member.name, member, stream)
        return changes

    def _note(self, changes: "_Changes[_T]", name: str, member: Member, stream: LayerStream) -> None:
        """Keep what is wanted of an entry; the last one of a name counts."""
        for kept in (changes.files, changes.symlinks, changes.hard_links):
            kept.pop(name, None)
        if member.kind == "directory":
            if name in self._files or name in self._symlinks:
                changes.hidden.removed.add(name)
            return
        if name in self._parents or name in self._files or name in self._symlinks:
            changes.hidden.removed.add(name)
        read = self._wanted(name)
        if member.kind == "symlink":
            if self._linked(name):
                changes.symlinks[name] = member.target
                changes.weight += _NAME_WEIGHT + len(member.target)
        elif read and member.kind == "hardlink":
            changes.hard_links[name] = inside(member.target)
            changes.weight += 2 * _NAME_WEIGHT
        elif read and member.kind == "file":
            changes.files[name] = read(member, stream)
            changes.weight += _NAME_WEIGHT + self._weigh(changes.files[name])

    def _read_targets(self, stream: LayerStream, loose: Mapping[str, str], changes: "_Changes[_T]") -> None:
        """Read the files that hard links lead to, and whose own names nobody wants."""
        names: dict[str, list[str]] = {}
        for name, target in loose.items():
            names.setdefault(target, []).append(name)
        for member in entries(stream):
            waiting = names.pop(member.name, []) if member.kind == "file" else []
            read = self._wanted(waiting[0]) if waiting else None
            if read:
                value = read(member, stream)
                changes.files.update(dict.fromkeys(waiting, value))
        if names:
            raise FormatError(f"it has a hard link to {next(iter(names))!r}, which it does not have")

    def _apply(self, changes: "_Changes[_T]") -> None:
        for kept in (self._files, self._symlinks):
            for name in [each for each in kept if changes.hidden.covers(each)]:
                del kept[name]
        self._files |= changes.files
        self._symlinks |= changes.symlinks
        self._parents = {parent for name in (*self._files, *self._symlinks) for parent in parents(name)}
        links = sum(_NAME_WEIGHT + len(target) for target in self._symlinks.values())
        self._weight = links + sum(_NAME_WEIGHT + self._weigh(value) for value in self._files.values())


OpenZstd = Callable[[Path], AbstractContextManager[IO[bytes]]]
"""Opens a file that is compressed by zstd as the stream of what is in it."""


@contextmanager
def open_layer(path: Path, open_zstd: OpenZstd) -> Iterator[LayerStream]:
    """A layer's blob as a stream; how it is packed is told by its first bytes, whatever its media type says."""
    with path.open("rb") as blob:
        zstd = blob.read(len(ZSTD)) == ZSTD
    with open_zstd(path) if zstd else path.open("rb") as stream:
        chunks = _chunks(stream)
        yield LayerStream(chunks if zstd else unpacked(chunks))


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk
