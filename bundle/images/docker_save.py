"""Images out of a `docker save` archive that has only Docker's `manifest.json`, as sources.

Such an archive holds no image manifest: one is made, the same each time, over the config and the layers as they are.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bundle.errors import FormatError, SourceError
from bundle.formats import strict_json
from bundle.formats.numbers import number
from bundle.images.layout import DOCKER_MANIFEST
from bundle.images.layout_source import choice_error, same_name
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import CHUNK
from bundle.storage.tar_reader import Member, members
from bundle.storage.tree import Files, followed, read_small

_MAX_JSON = 64 * 1024 * 1024  # bytes
_COMPRESSIONS = {b"\x1f\x8b": media_types.OCI_LAYER_GZIP, b"\x28\xb5\x2f\xfd": media_types.OCI_LAYER_ZSTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The manifest that was made, and where in the archive each blob it names is."""

    raw: bytes
    names: Mapping[Digest, str]


class SaveSource:
    """One image of a `docker save` archive.

    `ref` is its repository tag, `@` with its place (from 0) where it has none, "" where there is only one image.

    Layers are taken as they lie there: uncompressed ones have the digests that the config states, which are checked
    when they are stored; compressed ones are hashed once to learn theirs.
    """

    def __init__(self, tree: Files, ref: str, subject: str) -> None:
        self._tree = tree
        self._ref = ref
        self._subject = subject
        self._lock = threading.Lock()
        self._known: _Made | None = None

    def resolve(self) -> Descriptor:
        """The descriptor of the manifest made of the archive's content."""
        raw = self._made().raw
        return Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(raw), size=len(raw))

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest made; a SourceError when the archive's content is not what `descriptor` stands for."""
        raw = self._made().raw
        made = Digest.of(raw)
        if descriptor.digest != made:
            raise SourceError(
                f"{self._subject} holds another image than it did: expected {descriptor.digest}, it has {made}",
                hint="bring the old archive back, or run `doit lock` to take the new one",
            )
        return raw

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on. Not checked here: whoever stores them does."""
        name = self._made().names.get(descriptor.digest)
        if name is None:
            raise SourceError(f"{self._subject} has no {descriptor.digest}")
        yield from self._tree.read(name, offset)

    def tagged(self, tag: str) -> None:
        """Nothing: Docker saves images alone, and the manifest made here is nobody's to have signed."""

    def referring(self, subject: Digest) -> None:
        """Nothing, as with `tagged`."""

    def _made(self) -> _Made:
        with self._lock:
            if self._known is None:
                try:
                    self._known = self._make(self._entry())
                except FileNotFoundError as err:
                    raise SourceError(
                        f"{self._subject} is no complete image archive: it has no {str(err)!r}",
                        hint="write it again with `docker save` or `skopeo copy`",
                    ) from err
                except FormatError as err:
                    raise SourceError(f"{self._subject}: {err.what}", hint=err.hint) from err
            return self._known

    def _entry(self) -> Mapping[str, Any]:
        entries = _entries(self._tree)
        place = number(self._ref.removeprefix("@")) if self._ref.startswith("@") else None
        if place is not None:
            chosen = entries[place:][:1]
        else:
            chosen = [entry for entry in entries if not self._ref or same_name(self._ref, _tags(entry))]
        if len(chosen) != 1:
            raise choice_error(self._subject, self._ref, [ref for each in _refs(entries) for ref in each])
        return chosen[0]

    def _make(self, entry: Mapping[str, Any]) -> _Made:
        config_name, layer_names = entry.get("Config"), entry.get("Layers")
        if not isinstance(config_name, str) or not isinstance(layer_names, list):
            raise FormatError(f"{DOCKER_MANIFEST} has an image without Config or Layers")
        config = read_small(self._tree, config_name, _MAX_JSON)
        diff_ids = _diff_ids(config)
        if len(diff_ids) != len(layer_names):
            raise FormatError(f"the config names {len(diff_ids)} layers, {DOCKER_MANIFEST} {len(layer_names)}")
        pairs = zip(layer_names, diff_ids, strict=True)
        layers = [_layer(self._tree, str(name), diff_id) for name, diff_id in pairs]
        descriptor = Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(config), size=len(config))
        data = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": descriptor.to_dict(),
            "layers": [layer.to_dict() for layer in layers],
        }
        names = {layer.digest: str(name) for layer, name in zip(layers, layer_names, strict=True)}
        raw = strict_json.canonical(data, escaped=True)
        return _Made(raw=raw, names={**names, descriptor.digest: config_name})


def save_names(tree: Files) -> tuple[str, ...]:
    """The ref of each image: its first name, else its place; "" for the only one, where it has no name.

    FileNotFoundError or FormatError where this is no archive.
    """
    entries = _entries(tree)
    if len(entries) == 1 and not _tags(entries[0]):
        return ("",)
    return tuple(dict.fromkeys(refs[0] for refs in _refs(entries)))


def _entries(tree: Files) -> Sequence[Mapping[str, Any]]:
    entries = strict_json.decode(read_small(tree, DOCKER_MANIFEST, _MAX_JSON), DOCKER_MANIFEST)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{DOCKER_MANIFEST} is not a list of images")
    return entries


def _refs(entries: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What chooses each image: its names, else its place in the list (from `@0`), as containers/image has it."""
    return [_tags(entry) or [f"@{place}"] for place, entry in enumerate(entries)]


def _layer(tree: Files, name: str, diff_id: Digest) -> Descriptor:
    start = next(tree.read(name), b"")[:6]
    if start.startswith((b"BZh", b"\xfd7zXZ\x00")):
        raise FormatError(f"layer {name!r} is compressed with bzip2 or xz, which OCI does not know")
    for magic, media_type in _COMPRESSIONS.items():
        if start.startswith(magic):
            hasher = hashlib.sha256()
            for chunk in tree.read(name):
                hasher.update(chunk)
            digest = Digest(algorithm="sha256", hex=hasher.hexdigest())
            return Descriptor(media_type=media_type, digest=digest, size=tree.size(name))
    return Descriptor(media_type=media_types.OCI_LAYER, digest=diff_id, size=tree.size(name))


def _diff_ids(config: bytes) -> Sequence[Digest]:
    data = strict_json.decode(config, "the image's config")
    rootfs = data.get("rootfs") if isinstance(data, dict) else None
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list):
        raise FormatError("the image's config has no list of diff_ids", hint="save it again with Docker 1.10 or later")
    return [Digest.parse(str(diff_id)) for diff_id in diff_ids]


def _tags(entry: Mapping[str, Any]) -> list[str]:
    tags = entry.get("RepoTags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


_SMALL = 64 * 1024  # bytes; what describes an image is kept in memory, its layers are not


def keep_saved(chunks: Iterator[bytes], store: BlobStore, *, subject: str) -> Files:
    """Read a `docker save` stream to its end, keep its large files as blobs, and return all its files.

    `subject` is the image as the user wrote it. A stream that is cut off or no tar is a SourceError.
    """
    stream = _Chunks(chunks)
    entries: dict[str, Member] = {}
    small: dict[str, bytes] = {}
    large: dict[str, Descriptor] = {}
    try:
        for member in members(stream):
            entries[member.name] = member
            if member.kind != "file":
                continue
            if member.size <= _SMALL:
                small[member.name] = stream.read(member.size)
            else:
                pieces = stream.pieces(member)
                large[member.name] = store.add(pieces, subject=f"{member.name!r} of {subject}")
    except FormatError as err:
        raise SourceError(
            f"{subject}: what the Docker Engine saved can't be read: {err.what}",
            hint="run the same command again; if it comes back, look into the Docker daemon's log",
        ) from err
    return _KeptTree(entries, small, large, store)


class _KeptTree:
    """The files of an archive that went by."""

    def __init__(
        self,
        entries: Mapping[str, Member],
        small: Mapping[str, bytes],
        large: Mapping[str, Descriptor],
        store: BlobStore,
    ) -> None:
        self._entries = entries
        self._small = small
        self._large = large
        self._store = store

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return followed(self._entries, name).size

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        place = followed(self._entries, name).name
        if place in self._large:
            yield from self._store.read(self._large[place], offset)
        else:
            yield self._small[place][offset:]


class _Chunks:
    """A stream of pieces, read by size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.position = 0
        self._chunks = chunks
        self._held = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        return b"".join(self._take(size))

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        for _ in self._take(size):
            pass

    def pieces(self, member: Member) -> Iterator[bytes]:
        """A member's bytes; a FormatError where the stream ends too early."""
        left = member.size
        for piece in self._take(member.size):
            left -= len(piece)
            yield piece
        if left:
            raise FormatError(f"tar is cut off inside {member.name!r}")

    def _take(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._held:
                self._held = memoryview(next(self._chunks, b""))
                if not self._held:
                    return
            piece = bytes(self._held[: min(size, CHUNK)])
            self._held = self._held[len(piece) :]
            self.position += len(piece)
            size -= len(piece)
            yield piece
