"""The files of an image as its container sees them: layers over layers, with whiteouts (OCI image-spec layer.md)."""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from bundle.descriptor import Descriptor
from bundle.errors import FormatError, SourceError
from bundle.image import ImageSource
from bundle.layer_stream import LayerStream
from bundle.meter import Meter
from bundle.tar_reader import Member, members

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_MEMBERS = 5_000_000  # files of one layer
_MAX_LINKS = 40  # as Linux follows (MAXSYMLINKS)

Kind = Literal["file", "directory", "symlink", "hardlink"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredEntry:
    """What is at a path: links have a `target`; `layer` is the number of the layer that holds it."""

    kind: Kind
    target: str
    mode: int
    uid: int
    gid: int
    layer: int


class LayeredFiles:
    """Directories, links, and those files whose names end like `suffixes` say; paths have no slash at their start.

    Whatever else an image holds is passed over, so that large images take little memory.
    """

    def __init__(self, source: ImageSource, layers: Sequence[Descriptor], *, subject: str, meter: Meter) -> None:
        self._source = source
        self._layers = layers
        self._subject = subject
        self._meter = meter
        self._entries: dict[str, LayeredEntry] = {}

    @classmethod
    def read(
        cls, source: ImageSource, layers: Sequence[Descriptor], *, suffixes: tuple[str, ...], subject: str, meter: Meter
    ) -> Self:
        """Look through all layers, base first. SourceError for one that can't be read, IntegrityError when damaged."""
        files = cls(source, layers, subject=subject, meter=meter)
        for number in range(len(layers)):
            files._lay(number, suffixes)
        return files

    def get(self, path: str) -> LayeredEntry | None:
        """What is at a path, links in it not followed."""
        return self._entries.get(path)

    def resolve(self, path: str) -> str:
        """Where a path leads when all links are followed inside the image, whether anything is there or not.

        SourceError for links that go in a circle.
        """
        todo, done, links = path.split("/"), list[str](), 0
        while todo:
            part = todo.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                done = done[:-1]
                continue
            entry = self._entries.get("/".join([*done, part]))
            if entry is None or entry.kind != "symlink":
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise SourceError(f"{self._subject}: links go in a circle at /{path}")
            if entry.target.startswith("/"):
                done = []
            todo = [*entry.target.split("/"), *todo]
        return "/".join(done)

    def content(self, path: str, limit: int) -> bytes:
        """The bytes of a file of at most `limit` bytes; SourceError for a larger one."""
        entry = self._entries[path]
        wanted = _rooted(entry.target) if entry.kind == "hardlink" else path
        found: bytes | None = None
        stream = self._stream(entry.layer)
        for member in self._members(stream, entry.layer):
            if member.name == wanted and member.kind == "file":
                if member.size > limit:
                    raise SourceError(f"{self._subject}: /{path} has {member.size} bytes, more than {limit}")
                found = stream.read(member.size)
        if found is None:
            raise SourceError(f"{self._subject}: /{path} is a link to /{wanted}, which its layer does not have")
        return found

    def _stream(self, number: int) -> LayerStream:
        return LayerStream(self._source, self._layers[number], subject=self._subject, meter=self._meter)

    def _members(self, stream: LayerStream, number: int) -> Iterator[Member]:
        """The layer's entries; it is read to its end, and so checked."""
        try:
            yield from members(stream, limit=_MAX_MEMBERS, clean=_rooted)
            stream.drain()
        except FormatError as err:
            what = f"{self._subject}: layer {self._layers[number].digest} of its base: {err.what}"
            raise SourceError(what, hint=err.hint) from err

    def _lay(self, number: int, suffixes: tuple[str, ...]) -> None:
        """Put one layer over those below it."""
        found: dict[str, LayeredEntry] = {}
        gone, emptied = set[str](), set[str]()
        below = {place for path in self._entries for place in _with_parents(path)}
        for member in self._members(self._stream(number), number):
            path = member.name
            directory, name = posixpath.split(path)
            if name == _OPAQUE:
                emptied.add(directory)
            elif name.startswith(_WHITEOUT):
                gone.add(posixpath.join(directory, name.removeprefix(_WHITEOUT)))
            else:
                entry = _entry(member, number, suffixes)
                if entry:
                    found[path] = entry
                if member.kind != "directory" and path in below:
                    gone.add(path)
        if gone or emptied:
            self._entries = {path: each for path, each in self._entries.items() if not _removed(path, gone, emptied)}
        self._entries |= found


def _entry(member: Member, layer: int, suffixes: tuple[str, ...]) -> LayeredEntry | None:
    kind: Kind
    match member.kind:
        case "directory" | "symlink" as kept:
            kind = kept
        case "file" | "hardlink" as kept if member.name.endswith(suffixes):
            kind = kept
        case _:
            return None
    return LayeredEntry(kind=kind, target=member.target, mode=member.mode, uid=member.uid, gid=member.gid, layer=layer)


def _rooted(name: str) -> str:
    """An entry's path below the image's root, however it is written; no path leads out of a container."""
    return posixpath.normpath(f"/{name}").lstrip("/")


def _removed(path: str, gone: set[str], emptied: set[str]) -> bool:
    return any(place in gone or (place in emptied and place != path) for place in (*_with_parents(path), ""))


def _with_parents(path: str) -> Iterator[str]:
    """A path and every directory above it, the root not among them."""
    while path:
        yield path
        path = posixpath.dirname(path)
