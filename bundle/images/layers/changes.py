"""What a layer says of those below it: whiteouts, and links as a container sees them (OCI image-spec layer.md)."""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bundle.images.layers.stream import LayerStream
from bundle.storage.tar_reader import Member, members

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_MOST_ENTRIES = 5_000_000  # of one layer
_MOST_LINKS = 40  # as the kernel follows in one path (MAXSYMLINKS)


@dataclass(frozen=True, slots=True)
class Hidden:
    """The paths that one layer hides in the layers below: whole trees, and what is in directories that stay."""

    removed: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)

    def note(self, path: str) -> bool:
        """Whether an entry only marks what is hidden; if so, it is kept in mind."""
        directory, name = posixpath.split(path)
        if name == _OPAQUE:
            self.emptied.add(directory)
        elif not name.startswith(_WHITEOUT):
            return False
        elif not name.startswith(_WHITEOUT * 2):  # others are AUFS's own
            self.removed.add(posixpath.join(directory, name.removeprefix(_WHITEOUT)))
        return True

    def covers(self, path: str) -> bool:
        """Whether a path of the layers below is seen no more."""
        return path in self.removed or any(each in self.removed or each in self.emptied for each in parents(path))


def entries(stream: LayerStream) -> Iterator[Member]:
    """What a layer holds, named by `inside`; the stream stands at the entry's first byte. FormatError for no tar."""
    return members(stream, limit=_MOST_ENTRIES, clean=inside)


def inside(name: str) -> str:
    """A path from the image's root without a slash in front, however it is written: none leads out of a container."""
    return posixpath.normpath(f"/{name}").lstrip("/")


def parents(path: str) -> Iterator[str]:
    """The directories that a path lies in, the root ("") last."""
    while path:
        path = posixpath.dirname(path)
        yield path


def follow(path: str, target: Callable[[str], str | None]) -> str | None:
    """Where a path leads inside the image, whether anything is there or not; None when links go in a circle.

    `target` says where the symbolic link at a path leads, or None where there is no link.
    """
    rest, done, followed = path.split("/"), "", 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            done = posixpath.dirname(done)
            continue
        step = posixpath.join(done, part)
        leads = target(step)
        if leads is None:
            done = step
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return None
        rest[:0] = leads.split("/")
        done = "" if leads.startswith("/") else done
    return done
