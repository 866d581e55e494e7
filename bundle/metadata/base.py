"""What the other side has already, as far as its receipt or an earlier bundle's manifest tells: the base of a delta."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import FormatError, SourceError, storage_errors
from bundle.formats.fields import Fields
from bundle.metadata.delta import BaseName
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.names import MANIFEST
from bundle.metadata.receipt import RECEIPT, Receipt
from bundle.oci.digest import Digest
from bundle.oci.platform import Choice, platform_text
from bundle.oci.reference import Reference

_MAX_SIZE = 256 * 1024 * 1024  # bytes of a file that is read into memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The blobs that the other side has, each with its repositories (HOST/PATH) there; `images` are their digests."""

    named: BaseName
    platform: Choice
    images: Mapping[str, Digest]
    blobs: Mapping[Digest, tuple[str, ...]]

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the bytes of a receipt.json or a manifest.json; a FormatError when they are neither."""
        data = Fields.decode(raw, "it").data
        if "bundle" in data:
            return cls.of_receipt(Receipt.from_dict(data))
        if "layout" in data:
            return cls.of_manifest(BundleManifest.from_dict(data))
        raise FormatError(f"it is neither a {RECEIPT} nor a bundle's {MANIFEST}")

    @classmethod
    def of_receipt(cls, receipt: Receipt) -> Self:
        """What a receipt tells."""
        return cls(
            named=BaseName(
                kind="receipt", name=receipt.name, version=receipt.version, id=receipt.id, time=receipt.installed
            ),
            platform=receipt.platform,
            images={image.name: image.digest for image in receipt.images},
            blobs=_places((image.reference, image.blobs) for image in receipt.images),
        )

    @classmethod
    def of_manifest(cls, manifest: BundleManifest) -> Self:
        """What is inside once the bundle of this manifest is installed."""
        return cls(
            named=BaseName(
                kind="manifest", name=manifest.name, version=manifest.version, id=manifest.id, time=manifest.created
            ),
            platform=manifest.platform,
            images={image.name: image.digest for image in manifest.images},
            blobs=_places((image.reference, image.blobs) for image in manifest.images),
        )

    @property
    def fingerprint(self) -> Digest:
        """Changes when anything does that a bundle takes from its base."""
        blobs = {str(digest): places for digest, places in self.blobs.items()}
        return Digest.of(json.dumps([self.named.to_dict(), blobs], sort_keys=True).encode())

    def check_fits(self, *, name: str, platform: Choice) -> None:
        """A FormatError where this tells of another bundle than that of `name`, or of another platform."""
        if self.named.name != name:
            raise FormatError(f"it is {self.named}, but this bundle is {name!r}")
        if self.platform != platform:
            told = f"for {platform_text(self.platform)}, but this bundle is for {platform_text(platform)}"
            raise FormatError(f"it is {self.named}, {told}: they share no layers")


def read_base(path: Path) -> Base:
    """The base that a file tells; SourceError when it is not there, FormatError when it is none, StorageError else."""
    with storage_errors("read the base", path):
        if not path.is_file():
            raise SourceError("there is no such file")
        if path.stat().st_size > _MAX_SIZE:
            raise FormatError(
                f"it is neither a {RECEIPT} nor a bundle's {MANIFEST}: it has {path.stat().st_size} bytes"
            )
        return Base.decode(path.read_bytes())


def _places(images: Iterable[tuple[Reference, Mapping[Digest, int]]]) -> dict[Digest, tuple[str, ...]]:
    places: dict[Digest, dict[str, None]] = defaultdict(dict)
    for reference, blobs in images:
        for digest in blobs:
            places[digest][reference.repository] = None
    return {digest: tuple(sorted(found)) for digest, found in places.items()}
