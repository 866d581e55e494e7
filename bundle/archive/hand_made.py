"""Directories of images and charts that somebody made by hand: which images are in them, and whether they are whole.

Archives are those of `docker save` and skopeo.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import FormatError, IntegrityError, SourceError, storage_errors
from bundle.formats import strict_json
from bundle.images.local import names_in, open_local
from bundle.metadata.checksums import SUMS
from bundle.metadata.names import MANIFEST
from bundle.meter import Meter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.locations import LocalImage
from bundle.transfer.image import ImageSource, walk_manifests

_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_ARCHIVES = ("*.tar", "*.tar.gz", "*.tar.zst", "*.tar.xz")
_OURS = (MANIFEST, SUMS, "airgap.json", "airgap.pyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """One image of an archive. `ref` is its name there, empty when it has none; `size` is the bytes of its blobs.

    `platform` is what its config says, empty for an index.
    """

    file: Path
    ref: str
    platform: str
    size: int


def is_hand_made(path: Path) -> bool:
    """Whether a directory holds `images/*.tar` or `charts/*.tgz`, and nothing of what `doit bundle` adds."""
    if not path.is_dir() or any((path / name).exists() for name in _OURS):
        return False
    return bool(image_files(path) or chart_files(path))


def image_files(path: Path) -> list[Path]:
    """The image archives of such a directory, those that are compressed among them."""
    return sorted(file for pattern in _ARCHIVES for file in (path / "images").glob(pattern) if file.is_file())


def chart_files(path: Path) -> list[Path]:
    """The packaged charts of such a directory."""
    return sorted(file for file in (path / "charts").glob("*.tgz") if file.is_file())


def read_archive_images(file: Path, *, meter: Meter) -> tuple[SavedImage, ...]:
    """All images of an archive, each read to its end and checked by its digests.

    SourceError for an archive that can't be read or is cut off, IntegrityError for a damaged one.
    """
    with storage_errors(f"read {file.name!r}", file):
        names = names_in(file, subject=file.name)
        return tuple(_checked(file, name, meter) for name in names)


def _checked(file: Path, ref: str, meter: Meter) -> SavedImage:
    subject = f"{file.name}: image {ref!r}" if ref else file.name
    source = open_local(LocalImage(transport="docker-archive", path=file, ref=ref), subject=subject)
    manifests = list(walk_manifests(source.manifest, source.resolve(), subject))
    blobs = {blob.digest: blob for each in manifests if not each.is_index for blob in each.children()}
    meter.expect(subject, sum(blob.size for blob in blobs.values()), len(blobs))
    for blob in blobs.values():
        for chunk in _verified(source, blob, subject):
            meter.advance(subject, len(chunk))
    top = manifests[-1]
    config = b"" if top.is_index or top.config.size > _MAX_CONFIG else b"".join(source.read(top.config, 0))
    is_image = not top.is_index and top.config.media_type in media_types.IMAGE_CONFIGS
    return SavedImage(
        file=file,
        ref=ref,
        platform=_platform(config) if is_image else "",
        size=sum(blob.size for blob in blobs.values()),
    )


def _verified(source: ImageSource, blob: Descriptor, subject: str) -> Iterator[bytes]:
    """The blob's bytes; an IntegrityError at their end when they are not what the digest says."""
    hasher, size = blob.digest.hasher(), 0
    try:
        for chunk in source.read(blob, 0):
            hasher.update(chunk)
            size += len(chunk)
            yield chunk
    except FileNotFoundError as err:
        raise SourceError(f"{subject} lacks {blob.digest}", hint="save it again") from err
    if size != blob.size or hasher.hexdigest() != blob.digest.hex:
        raise IntegrityError(
            f"{subject}: {blob.digest} is damaged: expected {blob.size} bytes, found {size} with "
            f"{blob.digest.algorithm}:{hasher.hexdigest()}",
            hint="save it again",
        )


def _platform(config: bytes) -> str:
    try:
        data = strict_json.decode(config, "the image's config")
    except FormatError:
        return ""
    return f"{data.get('os', '')}/{data.get('architecture', '')}" if isinstance(data, dict) else ""
