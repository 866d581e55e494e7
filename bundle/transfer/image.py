"""Image manifests and indexes, kept as the bytes they are (OCI image-spec manifest.md and image-index.md)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

from bundle.errors import FormatError, SourceError
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest

MAX_MANIFEST = 4 * 1024 * 1024  # bytes; the distribution-spec asks registries to accept manifests up to this size
MAX_DEPTH = 8  # indexes in indexes; real ones have one

LoadManifest = Callable[[Descriptor], bytes]
"""Gives the bytes of a manifest, checked against its digest."""


class ImageSource(Protocol):
    """A place that one image comes from: a repository of a registry, a layout, an archive.

    Errors are SourceErrors that quote the image as the user wrote it.
    """

    def resolve(self) -> Descriptor:
        """The descriptor of what the source's tag or digest names now, a manifest or an index."""

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's or index's bytes, checked against its digest; the size is a hint of who lists it."""

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on. Not checked here: whoever stores them does."""


class ReferrerSource(ImageSource, Protocol):
    """A place of images that also knows what refers to them. What is not there is None; a refusal is an error."""

    def tagged(self, tag: str) -> Descriptor | None:
        """The descriptor of what a tag of the image's repository names; None where there is no such tag."""

    def referring(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """The manifests that the place lists as referring to `subject`; None where it keeps no such lists."""


@runtime_checkable
class RepackedSource(Protocol):
    """An ImageSource that gives an image in another form, and so with other digests, than where it comes from."""

    @property
    def upstream(self) -> Digest:
        """The digest that the image has where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A parsed manifest or index together with the exact bytes it was parsed from."""

    raw: bytes
    media_type: str
    digest: Digest
    data: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: bytes, *, media_type: str = "", digest: Digest | None = None) -> Self:
        """Read a manifest or index.

        `media_type` (of the descriptor or the Content-Type) is used where the bytes name none, as OCI allows.
        Raises FormatError for anything that is neither, Docker's old schema 1 among them.
        """
        data = strict_json.decode(raw, "manifest")
        if not isinstance(data, dict):
            raise FormatError("manifest is not a JSON object")
        kind = data.get("mediaType") or media_type or _guess(data)
        if data.get("schemaVersion") == 1:
            raise FormatError(
                "manifest is Docker schema 1, which has no content digests",
                hint="push the image again with a current Docker or skopeo and use that one",
            )
        if kind not in media_types.MANIFESTS | media_types.INDEXES:
            raise FormatError(f"manifest has media type {kind!r}, expected an image manifest or an index")
        manifest = cls(raw=raw, media_type=kind, digest=digest or Digest.of(raw), data=data)
        manifest.children()
        return manifest

    @property
    def is_index(self) -> bool:
        """Whether this lists manifests (one for each platform) and not layers."""
        return self.media_type in media_types.INDEXES

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of this manifest itself."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.raw))

    @property
    def config(self) -> Descriptor:
        """The config blob of an image manifest."""
        return Descriptor.from_dict(_object(self.data, "config"))

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layer blobs of an image manifest, base first."""
        return tuple(Descriptor.from_dict(item) for item in _objects(self.data, "layers"))

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """The manifests that an index lists, in its order."""
        return tuple(Descriptor.from_dict(_sized(item)) for item in self.entries)

    @property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """The same as the index has them."""
        return _objects(self.data, "manifests")

    @property
    def subject(self) -> Digest | None:
        """The manifest that this one refers to; None for what stands for itself."""
        subject = self.data.get("subject")
        return Descriptor.from_dict(subject).digest if isinstance(subject, dict) else None

    @property
    def artifact_type(self) -> str:
        """What kind of artifact this is: as it says, else by its config's media type (empty for an index)."""
        stated = self.data.get("artifactType")
        if isinstance(stated, str) and stated:
            return stated
        return "" if self.is_index else self.config.media_type

    def children(self) -> tuple[Descriptor, ...]:
        """What must exist before this manifest may: config and layers, or the manifests of an index."""
        return self.manifests if self.is_index else (self.config, *self.layers)


def is_manifest(descriptor: Descriptor) -> bool:
    """Whether a descriptor is one of a manifest or an index, which name further content."""
    return descriptor.media_type in media_types.MANIFESTS | media_types.INDEXES


def read_manifest(descriptor: Descriptor, load: LoadManifest) -> Manifest:
    """The parsed manifest or index behind a descriptor; a FormatError names its digest when it is neither."""
    try:
        return Manifest.parse(load(descriptor), media_type=descriptor.media_type, digest=descriptor.digest)
    except FormatError as err:
        raise FormatError(f"{err.what} ({descriptor.digest})", hint=err.hint) from err


def reachable(root: Descriptor, load: LoadManifest) -> tuple[Descriptor, ...]:
    """Everything that `root` needs and itself, each once, children before parents.

    A FormatError for what is no manifest, and for indexes nested deeper or larger than anybody makes them.
    """
    if not is_manifest(root):
        return (root,)
    found: dict[Digest, Descriptor] = {}
    for descriptor, manifest in _walk(load, root, set(), _Budget()):
        if not manifest.is_index:
            for blob in manifest.children():
                found.setdefault(blob.digest, blob)
        found[descriptor.digest] = replace(descriptor, size=len(manifest.raw))
    return tuple(found.values())


def walk_manifests(load: LoadManifest, root: Descriptor, subject: str) -> Iterator[Manifest]:
    """The manifest and those below it, children first, each once. A SourceError for what is no manifest."""
    with _source_errors(subject):
        for _, manifest in _walk(load, root, set(), _Budget()):
            yield manifest


def parse_manifest(load: LoadManifest, descriptor: Descriptor, subject: str) -> Manifest:
    """The manifest or index that a source has; a SourceError for what is neither."""
    with _source_errors(subject):
        return read_manifest(descriptor, load)


def leads_to(index: Descriptor, digest: Digest, load: LoadManifest, *, subject: str) -> bool:
    """Whether an index lists a manifest, itself or by an index in it."""
    top = parse_manifest(load, index, subject)
    listed = top.manifests if top.is_index else ()
    below = (each for each in listed if each.media_type in media_types.INDEXES)
    return any(each.digest == digest for each in listed) or any(
        leads_to(each, digest, load, subject=subject) for each in below
    )


@dataclass(slots=True)
class _Budget:
    """What the manifests of one image may be together: all of them are kept while it is fetched."""

    manifests: int = 2_000
    size: int = 16 * 1024 * 1024

    def take(self, raw: bytes) -> None:
        self.manifests, self.size = self.manifests - 1, self.size - len(raw)
        if min(self.manifests, self.size) < 0:
            raise FormatError(
                f"its manifests are more than {_Budget().manifests}, or have more than {_Budget().size} bytes together"
            )


def _walk(
    load: LoadManifest, descriptor: Descriptor, done: set[Digest], budget: _Budget, depth: int = 0
) -> Iterator[tuple[Descriptor, Manifest]]:
    if descriptor.digest in done:
        return
    if depth > MAX_DEPTH:
        raise FormatError(f"its indexes are nested more than {MAX_DEPTH} deep ({descriptor.digest})")
    done.add(descriptor.digest)
    manifest = read_manifest(descriptor, load)
    budget.take(manifest.raw)
    if manifest.is_index:
        for child in manifest.manifests:
            yield from _walk(load, child, done, budget, depth + 1)
    yield descriptor, manifest


@contextmanager
def _source_errors(subject: str) -> Iterator[None]:
    try:
        yield
    except FormatError as err:
        raise SourceError(f"{subject}: {err.what}", hint=err.hint) from err


def _guess(data: Mapping[str, Any]) -> str:
    if "manifests" in data:
        return media_types.OCI_INDEX
    return media_types.OCI_MANIFEST if "layers" in data and "config" in data else ""


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    if not isinstance(value, dict):
        raise FormatError(f"manifest has no {key!r} object")
    return value


def _sized(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An index's entry; its size is a hint, 0 where it can't be read."""
    size = entry.get("size")
    good = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return entry if good else {**entry, "size": 0}


def _objects(data: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """A list of objects; null is an empty one, as Go writes it."""
    value = data.get(key, "none")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise FormatError(f"manifest has no {key!r} list of objects")
    return value
