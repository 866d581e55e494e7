"""Images from a source into the blob cache: what exists is skipped, children come before what names them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bundle.errors import storage_errors
from bundle.meter import Meter, SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import require_room
from bundle.transfer.image import ImageSource, LoadManifest, Manifest, parse_manifest, walk_manifests
from bundle.transfer.platforms import ATTESTS_TO, check_platform, choose
from bundle.transfer.transfers import Transfers


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
    with storage_errors(f"store the blobs of {subject}", store.root):
        require_room(store.root, sum(map(store.lack, image.blobs)))

    def fetch(blob: Descriptor) -> None:
        def read(offset: int) -> Iterator[bytes]:
            for chunk in _from_memory(blob.data, offset) if blob.data else source.read(blob, offset):
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
    `attestation` is the manifest by which the index attests to the one platform of it; `notes` are what the user may
    want to know of the choice.
    """

    top: Descriptor
    root: Descriptor
    manifests: tuple[Digest, ...]
    size: int
    attestation: Digest | None = None
    notes: tuple[str, ...] = ()


def pin_image(source: ImageSource, platform: Platform | None, *, subject: str) -> ResolvedImage:
    """What to pin.

    Without a platform it is what the source names, be it an index with all platforms or a single manifest. For one
    platform of an index it is that platform's manifest; a single manifest of another platform is a SourceError.
    """
    root = named = source.resolve()
    attestation: Digest | None = None
    notes: tuple[str, ...] = ()
    load = source.manifest
    if platform:
        top = parse_manifest(load, root, subject)
        if top.is_index:
            chosen = choose(source, top, platform, subject=subject)
            root, notes = chosen.descriptor, (chosen.note,) if chosen.note else ()
            attestation = _attestation(chosen.index, root)
        single = parse_manifest(load, root, subject)
        check_platform(source, single, platform, chosen=top.is_index, subject=subject)
        root = single.descriptor
    manifests = list(walk_manifests(load, root, subject))
    return ResolvedImage(
        top=named,
        root=manifests[-1].descriptor,
        manifests=tuple(manifest.digest for manifest in manifests),
        size=sum(blob.size for blob in _image(manifests).blobs),
        attestation=attestation,
        notes=notes,
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


def _from_memory(raw: bytes, offset: int) -> Iterator[bytes]:
    yield raw[offset:]
