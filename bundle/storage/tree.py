"""Files below one root, by their POSIX path: a directory, or the members of a tar that stays packed."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from bundle.errors import FormatError
from bundle.storage.files import inside
from bundle.storage.tar_reader import Member, link_target, members
from bundle.storage.volume import Extent, Part, Section, Volume

_MAX_LINKS = 8
MAX_ENTRIES = 50_000  # of a tar whose entries are all kept; a bundle has hundreds


class Files(Protocol):
    """Read access to files by name. A name that is not there, or leads out, is a FileNotFoundError."""

    def size(self, name: str) -> int:
        """The file's size in bytes."""

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on, in chunks."""


class Tree(Files, Protocol):
    """Files that are also read by position."""

    def extent(self, name: str) -> Extent:
        """Where the file's bytes are, to be read by position: a tar that lies in this tree."""


def read_small(tree: Files, name: str, limit: int) -> bytes:
    """A whole file of at most `limit` bytes; FormatError for a larger one."""
    size = tree.size(name)
    if size > limit:
        raise FormatError(f"{name!r} has {size} bytes, more than {limit}")
    return b"".join(tree.read(name))


class DirectoryTree:
    """The regular files below a directory. Links are followed as far as they stay inside it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return self._path(name).stat().st_size

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        extent = self.extent(name)
        return extent.read(offset, extent.size - offset)

    def extent(self, name: str) -> Volume:
        """The file, by position."""
        return Volume([Part(path=self._path(name))])

    def _path(self, name: str) -> Path:
        path = self._below(name)
        if not path.is_file() or not path.resolve().is_relative_to(self._root.resolve()):
            raise FileNotFoundError(name)
        return path

    def _below(self, name: str) -> Path:
        try:
            return inside(self._root, name)
        except FormatError as err:
            raise FileNotFoundError(name) from err


class LinkedTree(DirectoryTree):
    """The same, with links followed wherever they lead: for what its user names himself, and digests are to decide.

    A FormatError for a link that leads to no regular file.
    """

    def _path(self, name: str) -> Path:
        path = self._below(name)
        try:
            mode = path.stat().st_mode
        except OSError as err:
            fault = err.strerror
        else:
            if stat.S_ISREG(mode):
                return path
            fault = "not a regular file"
        within = (path, *path.parents[: len(PurePosixPath(name).parts) - 1])
        if link := next((each for each in within if each.is_symlink()), None):
            raise FormatError(
                f"{name!r} is behind a link to {os.readlink(link)!r}: {fault}",
                hint="build the layout again, or copy it with `cp -rL` where its links lead to files",
            )
        raise FileNotFoundError(name)


def walk_files(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below a directory that is not itself one, by its name relative to it. Links are not followed."""
    waiting = [(root, "")]
    while waiting:
        directory, prefix = waiting.pop()
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((directory / entry.name, f"{prefix}{entry.name}/"))
                else:
                    yield f"{prefix}{entry.name}", entry


class TarTree:
    """The files of a tar, read in place. Links are resolved among its own members, never through the file system."""

    def __init__(self, extent: Extent, entries: Mapping[str, Member]) -> None:
        self._extent = extent
        self._entries = entries

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return self._member(name).size

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        return self.extent(name).read(offset, self.size(name) - offset)

    def extent(self, name: str) -> Section:
        """Where the file's bytes are in the tar."""
        member = self._member(name)
        return Section(of=self._extent, start=member.offset, size=member.size)

    def _member(self, name: str) -> Member:
        return followed(self._entries, name)


def followed(entries: Mapping[str, Member], name: str) -> Member:
    """The file of a tar that a name means, links followed; FileNotFoundError where there is none."""
    place = name
    for _ in range(_MAX_LINKS):
        member = entries.get(place)
        if member is None:
            break
        if member.kind == "file":
            return member
        if member.kind not in ("symlink", "hardlink"):
            break
        place = link_target(member)
    raise FileNotFoundError(name)


class Below:
    """The part of a tree below one of its directories."""

    def __init__(self, tree: Tree, directory: str) -> None:
        self._tree = tree
        self._directory = directory

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return self._tree.size(f"{self._directory}/{name}")

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        return self._tree.read(f"{self._directory}/{name}", offset)

    def extent(self, name: str) -> Extent:
        """The file, by position."""
        return self._tree.extent(f"{self._directory}/{name}")


class Joined:
    """Several trees as one: each file is that of the first which has it."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._trees = trees

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return self.extent(name).size

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        extent = self.extent(name)
        return extent.read(offset, extent.size - offset)

    def extent(self, name: str) -> Extent:
        """Where the file's bytes are in the tree that has it."""
        for tree in self._trees:
            with suppress(FileNotFoundError):
                return tree.extent(name)
        raise FileNotFoundError(name)


def index_tar(path: Path) -> TarTree:
    """One plain tar file as a tree; see index_members for errors."""
    volume = Volume([Part(path=path)])
    return TarTree(volume, index_members(volume))


def index_members(extent: Extent) -> dict[str, Member]:
    """Every entry of a tar by its name, in the tar's order, without reading their data.

    FormatError for a tar that is damaged or cut off, or has entries that lead out of it or share one name.
    """
    entries: dict[str, Member] = {}
    for member in members(SeekingStream(extent), limit=MAX_ENTRIES):
        if member.kind == "unsafe":
            raise FormatError(f"tar has an entry {member.name!r} that leads out of its directory")
        if member.kind != "directory" and member.name in entries:
            raise FormatError(f"tar has two entries named {member.name!r}")
        entries[member.name] = member
    return entries


class SeekingStream:
    """An extent as a stream that passes over data without reading it."""

    def __init__(self, extent: Extent) -> None:
        self.position = 0
        self._extent = extent

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes; fewer at the end."""
        for chunk in self._extent.read(self.position, size):
            self.position += len(chunk)
            yield chunk

    def read(self, size: int) -> bytes:
        """The next `size` bytes in one piece; fewer at the end."""
        return b"".join(self.chunks(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        self.position = min(self.position + size, self._extent.size)
