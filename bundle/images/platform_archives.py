"""An index as archives in Docker's form: one for each of its platforms, because an engine loads one of an archive."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from bundle.errors import SourceError
from bundle.images.docker_archive import ImageArchive
from bundle.images.layout import LayoutImage, docker_choice
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import LoadManifest, is_manifest, reachable, read_manifest
from bundle.transfer.platforms import is_image


def archives(
    image: LayoutImage, store: BlobStore, *, without: Collection[Digest] = ()
) -> Mapping[Platform | None, ImageArchive]:
    """The image's archives: under None the one with what an engine takes by itself, the others by their platforms.

    Each holds one platform's content whole, and every index. What is attached to the image, and what attests to a part
    of it, lies in the first. A single manifest has only that one, and so has an index whose platforms do not tell its
    manifests apart.
    """

    def read(descriptor: Descriptor) -> bytes:
        data = store.get(descriptor.digest)
        if data is None:
            told = f"image {image.name!r}: {descriptor.digest} vanished from the cache"
            raise SourceError(told, hint="run again")
        return data

    parts = _by_platform(image.root, read)
    first = docker_choice(image.root, read) if len(parts) > 1 else None
    if first is None:
        return {None: ImageArchive(image=image, store=store, without=without)}
    contents = {platform: _content(part, read) for platform, part in parts.items()}
    shared = frozenset().union(*contents.values())
    beside = _content(image.root, read) - shared - _indexes(image.root, read)
    made: dict[Platform | None, ImageArchive] = {}
    for platform in sorted(parts, key=lambda each: (parts[each].digest != first.digest, each)):
        is_first = not made
        left_out = (shared - contents[platform]) | (frozenset() if is_first else beside)
        made[None if is_first else platform] = ImageArchive(
            image=replace(image, loaded=parts[platform], attached=image.attached if is_first else {}),
            store=store,
            without=frozenset(without) | left_out,
        )
    return made


def _content(root: Descriptor, read: LoadManifest) -> frozenset[Digest]:
    return frozenset(each.digest for each in reachable(root, read))


def _indexes(root: Descriptor, read: LoadManifest) -> frozenset[Digest]:
    return frozenset(each.digest for each in reachable(root, read) if _is_index(each, read))


def _is_index(descriptor: Descriptor, read: LoadManifest) -> bool:
    return is_manifest(descriptor) and read_manifest(descriptor, read).is_index


def _by_platform(root: Descriptor, read: LoadManifest) -> Mapping[Platform, Descriptor]:
    """The manifests of an index by the platforms that it states; nothing where those do not tell them apart."""
    found = list(_images(root, read))
    parts = {each.platform: each for each in found if each.platform and each.platform.os}
    return parts if len(parts) == len(found) else {}


def _images(root: Descriptor, read: LoadManifest) -> list[Descriptor]:
    manifest = read_manifest(root, read)
    if not manifest.is_index:
        return [root]
    found = [(each, _images(each, read)) for each in manifest.manifests if is_image(each)]
    return [replace(inner, platform=inner.platform or each.platform) for each, inside in found for inner in inside]
