"""Images from a source into the blob cache: what exists is skipped, children come before what names them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bundle.errors import IntegrityError, SourceError
from bundle.meter import Meter, SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import ImageSource, LoadManifest, Manifest, parse_manifest, walk_manifests
from bundle.transfer.transfers import Transfers

ATTESTS_TO = "vnd.docker.reference.digest"  # BuildKit's annotation of a manifest that only tells of another

_MAX_CONFIG = 16 * 1024 * 1024  # bytes of an image config; real ones have a few thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedImage:
    """What one image consists of, all of it in the cache.

    `manifests` are its manifests and indexes, children before parents and `root` last; `blobs` its configs and layers,
    each once; `layers` those blobs that are nothing but layers; `size` the bytes of all of them.
    """

    root: Descriptor
    manifests: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]
    layers: tuple[Descriptor, ...]
    size: int


def fetch_image(
    source: ImageSource, root: Descriptor, store: BlobStore, *, subject: str, meter: Meter, transfers: Transfers
) -> FetchedImage:
    """Bring `root` (its size may be 0 where it is not known) and everything below it into the cache.

    Blobs go through `transfers`; a manifest is stored only after what it names, so one that is in the cache was whole.
    """
    load = _loader(store, source)
    manifests = list(walk_manifests(load, root, subject))
    image = _image(manifests)
    meter.expect(subject, sum(blob.size for blob in image.blobs), len(image.blobs))

    def fetch(blob: Descriptor) -> None:
        def read(offset: int) -> Iterator[bytes]:
            for chunk in source.read(blob, offset):
                transfers.check()
                yield chunk

        store.fetch(blob, read, subject=subject, meter=meter)

    transfers.move_all(fetch, image.blobs)
    for manifest in manifests:
        store.fetch(manifest.descriptor, partial(_from_memory, manifest.raw), subject=subject, meter=SilentMeter())
    return image


def stored_image(store: BlobStore, digest: Digest, media_type: str) -> FetchedImage | None:
    """What the cache knows of an image; None when one of its manifests is not there. Its blobs are not looked at."""
    root = Descriptor(media_type=media_type, digest=digest, size=0)
    try:
        return _image(list(walk_manifests(_loader(store, None), root, str(digest))))
    except _AbsentError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedImage:
    """What a source's name stands for: `root` is to be pinned, and is what `top` names or one platform of it.

    `manifests` are the digests of root and what is below it, children first; `size` is the bytes of all the blobs.
    `attestation` is the manifest by which the index attests to the one platform of it.
    """

    top: Descriptor
    root: Descriptor
    manifests: tuple[Digest, ...]
    size: int
    attestation: Digest | None = None


def pin_image(source: ImageSource, platform: Platform | None, *, subject: str) -> ResolvedImage:
    """What to pin.

    Without a platform it is what the source names, be it an index with all platforms or a single manifest. For one
    platform of an index it is that platform's manifest; a single manifest of another platform is a SourceError.
    """
    root = named = source.resolve()
    attestation: Digest | None = None
    load = source.manifest
    if platform:
        top = parse_manifest(load, root, subject)
        while top.is_index:
            root = _select(top, platform, subject)
            attestation = _attestation(top, root)
            top = parse_manifest(load, root, subject)
        _check_platform(source, top, platform, subject)
        root = top.descriptor
    manifests = list(walk_manifests(load, root, subject))
    return ResolvedImage(
        top=named,
        root=manifests[-1].descriptor,
        manifests=tuple(manifest.digest for manifest in manifests),
        size=sum(blob.size for blob in _image(manifests).blobs),
        attestation=attestation,
    )


def _attestation(index: Manifest, image: Descriptor) -> Digest | None:
    """The manifest by which BuildKit attests to an image of an index; None where there is none."""
    about = (each for each in index.manifests if each.annotations.get(ATTESTS_TO) == str(image.digest))
    return next((each.digest for each in about if each.media_type == media_types.OCI_MANIFEST), None)


class _AbsentError(Exception):
    """A manifest that is not in the cache, where nothing else may be asked."""


def _loader(store: BlobStore, source: ImageSource | None) -> LoadManifest:
    """Gives a manifest's bytes, from the cache when it has it, else from the source if there is one."""

    def load(descriptor: Descriptor) -> bytes:
        raw = store.get(descriptor.digest)
        if raw is not None:
            return raw
        if source is None:
            raise _AbsentError
        return source.manifest(descriptor)

    return load


def _select(index: Manifest, platform: Platform, subject: str) -> Descriptor:
    try:
        return index.select(platform)
    except SourceError as err:
        raise SourceError(f"{subject}: {err.what}", hint=err.hint) from err


def _image(manifests: list[Manifest]) -> FetchedImage:
    single = [manifest for manifest in manifests if not manifest.is_index]
    blobs = {child.digest: child for manifest in single for child in manifest.children()}
    configs = {manifest.config.digest for manifest in single}
    described = tuple(manifest.descriptor for manifest in manifests)
    return FetchedImage(
        root=described[-1],
        manifests=described,
        blobs=tuple(blobs.values()),
        layers=tuple(blob for digest, blob in blobs.items() if digest not in configs),
        size=sum(part.size for part in (*described, *blobs.values())),
    )


def _check_platform(source: ImageSource, manifest: Manifest, wanted: Platform, subject: str) -> None:
    """Whether a manifest's own config says it is for the platform. Charts and other artifacts have none, and pass."""
    config = manifest.config
    if config.media_type not in media_types.IMAGE_CONFIGS:
        return
    if config.size > _MAX_CONFIG:
        raise SourceError(f"{subject}: its config has {config.size} bytes, expected at most {_MAX_CONFIG}")
    raw = b"".join(source.read(config, 0))
    if not config.digest.matches(raw):
        raise IntegrityError(f"{subject}: its config does not have its digest {config.digest}")
    try:
        data = json.loads(raw)
    except ValueError as err:
        raise SourceError(f"{subject}: its config is not JSON: {err}") from err
    found = Platform.from_dict(data) if isinstance(data, dict) else Platform(os="", architecture="")
    if found.architecture and not found.satisfies(wanted):
        raise SourceError(
            f"{subject}: the image is for {found}, expected {wanted}; it has no index that offers others",
            hint=f"set the image's platform to {found}, or choose a tag that is built for {wanted}",
        )


def _from_memory(raw: bytes, offset: int) -> Iterator[bytes]:
    yield raw[offset:]
