"""Writing an OCI image layout (image-spec image-layout.md) that also carries Docker's `manifest.json`.

Both lists stand over the same compressed blobs, so that OCI tools and every Docker Engine read one directory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, IntegrityError, SourceError, storage_errors
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import make_directories, place, require_room, write_bytes
from bundle.transfer.image import LoadManifest, Manifest, is_manifest, reachable, read_manifest

OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
DOCKER_MANIFEST = "manifest.json"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
NO_PLATFORM = Platform(os="unknown", architecture="unknown")
LAYOUT_VERSION = b'{"imageLayoutVersion":"1.0.0"}'

_DOCKER_DEFAULT = Platform(os="linux", architecture="amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutImage:
    """One image to write: `name` as the spec has it, `reference` its internal name, `root` its manifest or index.

    `attached` is what travels with it in the same repository, by tag. `loaded` is what of it Docker's list names, where
    that is not Docker's own choice.
    """

    name: str
    reference: Reference
    root: Descriptor
    attached: Mapping[str, Descriptor] = field(default_factory=dict)
    loaded: Descriptor | None = None

    @property
    def roots(self) -> tuple[Descriptor, ...]:
        """All that is written by name."""
        return (self.root, *self.attached.values())


def blob_name(digest: Digest) -> str:
    """The path of a blob inside a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def named_digest(name: str) -> Digest | None:
    """The digest of the blob that has this path inside a layout; None for any other file."""
    try:
        digest = Digest.parse(name.removeprefix("blobs/").replace("/", ":", 1))
    except FormatError:
        return None
    return digest if name == blob_name(digest) else None


def index_bytes(images: Sequence[LayoutImage]) -> bytes:
    """The index.json that names each image by its internal reference, sorted by it, and then what is attached to them.

    An attached entry says that it is for no platform, as BuildKit's do, so that no engine takes it for an image.
    """
    entries = []
    for image in sorted(images, key=lambda image: image.reference):
        name = str(image.reference)
        annotations = {CONTAINERD_NAME: name, REF_NAME: name}
        entries.append(replace(image.root, platform=None, annotations=annotations).to_dict())
    attached = {f"{image.reference.repository}:{tag}": root for image in images for tag, root in image.attached.items()}
    for name, root in sorted(attached.items()):
        entries.append(replace(root, platform=NO_PLATFORM, annotations={REF_NAME: name}).to_dict())
    return strict_json.canonical({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries})


def docker_manifest_bytes(images: Sequence[LayoutImage], read: LoadManifest) -> bytes:
    """Docker's manifest.json, one entry for each manifest with all its names; what is no container image is left out.

    Docker keeps one platform: of an index linux/amd64 where it is there, else the first one.
    """
    entries: dict[Digest, dict[str, Any]] = {}
    for image in sorted(images, key=lambda image: image.reference):
        manifest = docker_choice(image.loaded or image.root, read)
        if manifest is None or manifest.config.media_type not in media_types.IMAGE_CONFIGS:
            continue
        entry = entries.setdefault(
            manifest.digest,
            {
                "Config": blob_name(manifest.config.digest),
                "Layers": [blob_name(layer.digest) for layer in manifest.layers],
                "RepoTags": [],
            },
        )
        entry["RepoTags"].append(str(image.reference))
    return strict_json.canonical(list(entries.values()))


def place_image(
    images_dir: Path, image: LayoutImage, store: BlobStore, *, without: Collection[Digest] = ()
) -> tuple[Descriptor, ...]:
    """Bring all content of one image, and what is attached to it, from the store into a layout's `blobs/`.

    It is linked where the file system can. Returns that content, children before parents. An IntegrityError names a
    blob that the store has no more. Blobs that the layout is to be `without` are left out.
    """
    content = stored_content(image, store, without=without)
    with storage_errors(f"write image {image.name!r}", images_dir):
        make_directories(images_dir)
        if images_dir.stat().st_dev != store.root.stat().st_dev:  # where nothing can be linked
            lacking = (each.size for each in content if not (images_dir / blob_name(each.digest)).exists())
            require_room(images_dir, sum(lacking))
        for descriptor in content:
            store.settle(descriptor)  # before it is copied: what is in a bundle is on the disk, with its lasting mark
            place(store.path(descriptor.digest), images_dir / blob_name(descriptor.digest))
    return content


def write_index(images_dir: Path, images: Sequence[LayoutImage], store: BlobStore | None = None) -> None:
    """Write `oci-layout`, `index.json` and Docker's `manifest.json`, each atomically, over blobs already placed.

    With a `store`, the blobs are there.
    """
    with storage_errors("write the list of images", images_dir):
        docker = docker_manifest_bytes(images, _placed(store.root if store else images_dir))
        write_bytes(images_dir / OCI_LAYOUT, LAYOUT_VERSION)
        write_bytes(images_dir / DOCKER_MANIFEST, docker)
        write_bytes(images_dir / INDEX, index_bytes(images))


def stored_content(image: LayoutImage, store: BlobStore, *, without: Collection[Digest] = ()) -> tuple[Descriptor, ...]:
    """All content of an image, and of what is attached to it, that is in the store and good; else an IntegrityError.

    Children come before parents. Blobs `without` which it is wanted are not looked at, and not returned.
    """

    def read(descriptor: Descriptor) -> bytes:
        data = store.get(descriptor.digest)
        if data is None:
            raise _lost(image, descriptor)
        return data

    try:
        content = {
            each.digest: each for root in image.roots for each in reachable(root, read) if each.digest not in without
        }
    except FormatError as err:
        raise SourceError(f"image {image.name!r}: {err.what}", hint=err.hint) from err
    for descriptor in content.values():
        if not is_manifest(descriptor) and not store.has(descriptor):
            raise _lost(image, descriptor)
    return tuple(content.values())


def docker_choice(root: Descriptor, read: LoadManifest) -> Manifest | None:
    """What Docker keeps of `root`: the manifest itself, or of an index linux/amd64 where it is there, else the first.

    None for what holds no manifest.
    """
    if not is_manifest(root):
        return None
    manifest = read_manifest(root, read)
    if not manifest.is_index:
        return manifest
    real = [d for d in manifest.manifests if d.platform is None or d.platform.architecture != "unknown"]
    preferred = [d for d in real if d.platform and d.platform.satisfies(_DOCKER_DEFAULT)]
    choices = (docker_choice(descriptor, read) for descriptor in [*preferred, *real])
    return next((choice for choice in choices if choice), None)


def _placed(images_dir: Path) -> LoadManifest:
    """Reads manifests that lie in a layout, checking each against its digest."""

    def read(descriptor: Descriptor) -> bytes:
        path = images_dir / blob_name(descriptor.digest)
        data = path.read_bytes()
        if not descriptor.digest.matches(data):
            raise IntegrityError(f"{str(path)!r} is damaged: expected {descriptor.digest}", hint="run again")
        return data

    return read


def _lost(image: LayoutImage, descriptor: Descriptor) -> IntegrityError:
    return IntegrityError(
        f"image {image.name!r}: the cache has no good copy of {descriptor.digest} any more",
        hint="run again: it will be fetched anew",
    )
