"""The files of an image as its container sees them: layers over layers, with whiteouts (OCI image-spec layer.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.images.layers.changes import Hidden, entries, follow, inside, parents
from bundle.images.layers.stream import LayerStream, unpacked
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.storage.tar_reader import Member
from bundle.transfer.image import ImageSource

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
        real = follow(path, self._target)
        if real is None:
            raise SourceError(f"{self._subject}: circular links at /{path}")
        return real

    def content(self, path: str, limit: int) -> bytes:
        """The bytes of a file of at most `limit` bytes; SourceError for a larger one."""
        entry = self._entries[path]
        wanted = inside(entry.target) if entry.kind == "hardlink" else path
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

    def _target(self, path: str) -> str | None:
        entry = self._entries.get(path)
        return entry.target if entry and entry.kind == "symlink" else None

    def _stream(self, number: int) -> LayerStream:
        return LayerStream(unpacked(self._checked(self._layers[number])))

    def _checked(self, layer: Descriptor) -> Iterator[bytes]:
        """The layer's blob as its source gives it; IntegrityError at the end when it was not the layer."""
        hasher, size = layer.digest.hasher(), 0
        for chunk in self._source.read(layer, 0):
            hasher.update(chunk)
            size += len(chunk)
            self._meter.advance(self._subject, len(chunk))
            yield chunk
        if size != layer.size or hasher.hexdigest() != layer.digest.hex:
            raise IntegrityError(
                f"{self._subject}: its layer {layer.digest} is damaged: expected {layer.size} bytes, "
                f"found {size} with {layer.digest.algorithm}:{hasher.hexdigest()}",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )

    def _members(self, stream: LayerStream, number: int) -> Iterator[Member]:
        """The layer's entries; it is read to its end, and so checked."""
        try:
            yield from entries(stream)
            stream.drain()
        except FormatError as err:
            what = f"{self._subject}: layer {self._layers[number].digest} of its base: {err.what}"
            raise SourceError(what, hint=err.hint) from err

    def _lay(self, number: int, suffixes: tuple[str, ...]) -> None:
        """Put one layer over those below it."""
        found: dict[str, LayeredEntry] = {}
        hidden = Hidden()
        below = {place for path in self._entries for place in (path, *parents(path))} - {""}
        for member in self._members(self._stream(number), number):
            path = member.name
            if hidden.note(path):
                continue
            entry = _entry(member, number, suffixes)
            if entry:
                found[path] = entry
            if member.kind != "directory" and path in below:
                hidden.removed.add(path)
        if hidden.removed or hidden.emptied:
            self._entries = {path: each for path, each in self._entries.items() if not hidden.covers(path)}
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
