"""What images have in common: every config and layer of a bundle counted once, by the images that need it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundle.metadata.manifest import BundleManifest
from bundle.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Configs and layers that exactly these images need, and no other: `size` in bytes, each counted once."""

    images: tuple[str, ...]
    blobs: int
    size: int

    @property
    def is_shared(self) -> bool:
        """Whether more than one image needs them."""
        return len(self.images) > 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"images": list(self.images), "blobs": self.blobs, "size": self.size}


def shares(manifest: BundleManifest) -> tuple[Share, ...]:
    """Who needs what of the blobs that the bundle carries, the largest first; a delta leaves out the others."""
    absent = left_out(manifest)
    owners: dict[Digest, list[str]] = {}
    sizes: dict[Digest, int] = {}
    for image in manifest.images:
        for digest, size in image.blobs.items():
            if digest not in absent:
                sizes[digest] = size
                owners.setdefault(digest, []).append(image.name)
    groups: dict[tuple[str, ...], list[int]] = {}
    for digest, names in owners.items():
        groups.setdefault(tuple(names), []).append(sizes[digest])
    found = [Share(images=names, blobs=len(each), size=sum(each)) for names, each in groups.items()]
    return tuple(sorted(found, key=lambda share: (-share.size, share.images)))


def left_out(manifest: BundleManifest) -> Mapping[Digest, int]:
    """The blobs that a delta does not carry, with their sizes; none of a full bundle."""
    sizes = {digest: size for image in manifest.images for digest, size in image.blobs.items()}
    return {digest: sizes.get(digest, 0) for digest in manifest.delta.blobs} if manifest.delta else {}
