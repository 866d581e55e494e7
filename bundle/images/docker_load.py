"""Images as the tar that `docker load` reads, made while it is sent: nothing is written to a disk on the way."""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

from bundle.errors import EngineError, FormatError, IntegrityError
from bundle.formats import strict_json
from bundle.images.layout import DOCKER_MANIFEST, blob_name, docker_choice
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import ImageSource, Manifest

_BLOCK = tarfile.BLOCKSIZE
_MAX_CONFIG = 16 * 1024 * 1024  # bytes of an image config; real ones have a few thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """One image that an Engine can load: what is loaded has `config.digest` as its ID, and these `diff_ids`.

    The diff IDs are the digests of the unpacked layers, base first, which no way through an Engine changes.
    """

    source: ImageSource
    manifest: Manifest
    config: bytes
    diff_ids: tuple[str, ...]
    subject: str

    @classmethod
    def of(cls, source: ImageSource, root: Descriptor, *, subject: str) -> Self:
        """The image below `root`: of an index the platform that Docker would take. EngineError for what is no image."""
        manifest = docker_choice(root, source.manifest)
        if manifest is None or manifest.config.media_type not in media_types.IMAGE_CONFIGS:
            raise EngineError(
                f"{subject} is no container image, which is all that a Docker Engine holds",
                hint="install without the Docker daemon: engine=none",
            )
        config = _config(source, manifest, subject)
        diff_ids = _diff_ids(config, subject)
        return cls(source=source, manifest=manifest, config=config, diff_ids=diff_ids, subject=subject)

    @property
    def id(self) -> Digest:
        """The digest of its config, which most Engines call the image's ID."""
        return self.manifest.config.digest

    def size(self, name: Reference) -> int:
        """The bytes of the tar."""
        small = {DOCKER_MANIFEST: len(self._list(name)), blob_name(self.id): len(self.config)}
        sizes = small | {blob_name(layer.digest): layer.size for layer in self._layers}
        return sum(_member_size(each, size) for each, size in sizes.items()) + 2 * _BLOCK

    def tar(self, name: Reference) -> Iterator[bytes]:
        """The tar, which gives the image this name. Each layer is checked while it streams.

        An IntegrityError names a damaged one before its last bytes are given away, so that no Engine takes it.
        """
        listed = self._list(name)
        yield from (_header(DOCKER_MANIFEST, len(listed)), _padded(listed))
        yield from (_header(blob_name(self.id), len(self.config)), _padded(self.config))
        for layer in self._layers:
            yield _header(blob_name(layer.digest), layer.size)
            yield from self._checked(layer)
            yield bytes(-layer.size % _BLOCK)
        yield bytes(2 * _BLOCK)

    @property
    def _layers(self) -> tuple[Descriptor, ...]:
        return tuple({layer.digest: replace(layer, annotations={}) for layer in self.manifest.layers}.values())

    def listed(self, name: Reference) -> Mapping[str, object]:
        """The image's entry in the list of a tar."""
        layers = [blob_name(layer.digest) for layer in self.manifest.layers]
        return {"Config": blob_name(self.id), "Layers": layers, "RepoTags": [str(name)]}

    def _list(self, name: Reference) -> bytes:
        return strict_json.canonical([self.listed(name)], escaped=True)

    def _checked(self, layer: Descriptor) -> Iterator[bytes]:
        hasher, size, held = layer.digest.hasher(), 0, b""
        for chunk in self.source.read(layer, 0):
            hasher.update(chunk)
            size += len(chunk)
            if held:
                yield held
            held = chunk
        if size != layer.size or hasher.hexdigest() != layer.digest.hex:
            raise IntegrityError(
                f"{self.subject}: its layer {layer.digest} is damaged: expected {layer.size} bytes, "
                f"found {size} with {layer.digest.algorithm}:{hasher.hexdigest()}; it was not loaded",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )
        yield held


class Taking(Protocol):
    """Takes the bytes of a tar in their order."""

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes."""

    def end(self, *, good: bool) -> None:
        """That was all; or it is not to be loaded."""


class LoadTogether:
    """Several images, each under the name that it is to have, as one tar whose blobs are given in any order.

    The list of images is its last file: without that an Engine makes nothing of what came before.
    """

    def __init__(self, images: Mapping[Reference, Loadable]) -> None:
        self._images = images
        parts = (part for each in images.values() for part in (each.manifest.config, *each.manifest.layers))
        self.blobs = {part.digest: part.size for part in parts}

    @property
    def size(self) -> int:
        """The bytes of the tar."""
        return sum(_member_size(blob_name(digest), size) for digest, size in self.blobs.items()) + len(self._tail())

    def finish(self, to: Taking) -> None:
        """Everything is good: give the list, so that the images are made."""
        to.take(self._tail())
        to.end(good=True)

    def _tail(self) -> bytes:
        listed = strict_json.canonical([each.listed(name) for name, each in self._images.items()], escaped=True)
        return _header(DOCKER_MANIFEST, len(listed)) + _padded(listed) + bytes(2 * _BLOCK)


class LoadedBlob:
    """The Consumer of one blob of such a tar: it goes in as it comes by, one after the other."""

    def __init__(self, digest: Digest, size: int, to: Taking) -> None:
        self._head = _header(blob_name(digest), size)
        self._padding = bytes(-size % _BLOCK)
        self._to = to

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self._begin()
        self._to.take(data)

    def end(self, *, good: bool) -> None:
        """No more will come; where it is damaged, nothing is loaded."""
        if not good:
            self._to.end(good=False)
            return
        self._begin()
        if self._padding:
            self._to.take(self._padding)

    def _begin(self) -> None:
        if self._head:
            self._to.take(self._head)
            self._head = b""


def _config(source: ImageSource, manifest: Manifest, subject: str) -> bytes:
    descriptor = manifest.config
    if descriptor.size > _MAX_CONFIG:
        raise EngineError(f"{subject}: its config has {descriptor.size} bytes, expected at most {_MAX_CONFIG}")
    config = b"".join(source.read(descriptor, 0))
    if not descriptor.digest.matches(config):
        raise IntegrityError(
            f"{subject}: its config is damaged: expected {descriptor.digest}, found {Digest.of(config)}",
            hint="run `doit verify` to see what is damaged, and carry that over again",
        )
    return config


def _diff_ids(config: bytes, subject: str) -> tuple[str, ...]:
    try:
        return tuple(str(each) for each in strict_json.loads(config)["rootfs"]["diff_ids"])
    except (ValueError, KeyError, TypeError) as err:
        raise FormatError(f"{subject}: its config names no layers (rootfs.diff_ids)") from err


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _member_size(name: str, size: int) -> int:
    return len(_header(name, size)) + size + -size % _BLOCK


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)
