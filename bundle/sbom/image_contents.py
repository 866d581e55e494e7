"""What is known of an image's packages: of its one manifest, or of each platform's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.sbom._filesystem import OpenZstd
from bundle.sbom.inventory import Inventory, LayerBlob, SharedLayers, take_inventory
from bundle.sbom.package import System
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest
from bundle.transfer.platforms import ATTESTS_TO

Origin = Literal["layers", "syft", "attestation"]
_ATTESTS = "vnd.docker.reference.type"  # BuildKit's mark of manifests that only tell of others in their index
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The packages of one manifest; `platform` as text, empty where it is not told; `origin` says who looked.

    `document` is the blob of the attested SBOM, where it is one.
    """

    digest: Digest
    platform: str
    inventory: Inventory
    origin: Origin
    document: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents:
    """An image by its name in the spec and what it was pinned to, with the contents of each of its manifests.

    `source` is where it comes from, as the spec writes it. An index has several contents, a single manifest has one.
    """

    name: str
    source: str
    digest: Digest
    is_index: bool
    contents: Sequence[Contents]


def images_of(store: BlobStore, root: Descriptor) -> Iterator[Manifest]:
    """The manifest itself, or those of an index for its platforms, in its order; all must be in the store.

    What attests to others is left out.
    """
    raw = store.get(root.digest)
    if raw is None:
        return
    manifest = Manifest.parse(raw, media_type=root.media_type, digest=root.digest)
    if not manifest.is_index:
        yield manifest
        return
    for child in manifest.manifests:
        if _ATTESTS not in child.annotations:
            yield from images_of(store, child)


def attesting(store: BlobStore, index: Descriptor, digest: Digest) -> Iterator[Manifest]:
    """BuildKit's attestation manifests of an index in the store that are about one of its manifests."""
    raw = store.get(index.digest)
    top = Manifest.parse(raw, media_type=index.media_type, digest=index.digest) if raw else None
    for child in top.manifests if top and top.is_index else ():
        raw = store.get(child.digest) if child.annotations.get(ATTESTS_TO) == str(digest) else None
        if raw:
            yield Manifest.parse(raw, media_type=child.media_type, digest=child.digest)


def platform_of(store: BlobStore, manifest: Manifest) -> str:
    """The platform that an image's config tells, as text; empty for other artifacts."""
    raw = store.get(manifest.config.digest) if manifest.config.media_type in media_types.IMAGE_CONFIGS else None
    try:
        data = strict_json.loads(raw or b"null")
    except ValueError:
        data = None
    platform = Platform.from_dict(data) if isinstance(data, dict) else Platform(os="", architecture="")
    return str(platform) if platform.architecture not in ("", _UNKNOWN) else ""


def read_layers(
    store: BlobStore, manifest: Manifest, *, open_zstd: OpenZstd, shared: SharedLayers | None = None
) -> Inventory:
    """The packages that the layers hold. What is no image has none, and the result says what it is.

    Layers that `shared` has by now are not read again.
    """
    kind = manifest.config.media_type
    if kind not in media_types.IMAGE_CONFIGS:
        why = f"this is no image with layers of files, but an artifact of type {kind}"
        return Inventory(packages=(), system=System(), not_read=(why,))
    layers = [_blob(store, number, layer) for number, layer in enumerate(manifest.layers, 1)]
    return take_inventory(layers, open_zstd=open_zstd, room=store.root, shared=shared)


def _blob(store: BlobStore, number: int, layer: Descriptor) -> LayerBlob:
    path = store.path(layer.digest)
    unusable = ""
    if "tar" not in layer.media_type:
        unusable = f"it is no tar, but {layer.media_type}"
    elif not path.is_file():
        unusable = "its bytes are not here"
    return LayerBlob(name=f"layer {number} ({layer.digest})", path=Path(path), unusable=unusable)
