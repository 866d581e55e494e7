"""Directories of images and charts that somebody made by hand: which images are in them, and whether they are whole.

Archives are those of `docker save` and skopeo; OCI layouts are taken as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bundle.archive.parts import sums_path
from bundle.charts.package import MAX_UNPACKED, read_archive
from bundle.errors import AbsentError, AirgapError, FormatError, IntegrityError, SourceError, storage_errors
from bundle.formats import strict_json
from bundle.images.compressed import OpenZstd
from bundle.images.layout import INDEX, OCI_LAYOUT
from bundle.images.local import holds_images, names_in, open_local
from bundle.metadata.checksums import SUMS
from bundle.metadata.names import MANIFEST
from bundle.meter import Meter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.locations import LocalImage
from bundle.oci.platform import Platform
from bundle.transfer.image import ImageSource, Manifest, parse_manifest, walk_manifests
from bundle.transfer.platforms import is_image

_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_ARCHIVES = ("*.tar", "*.tar.gz", "*.tar.zst", "*.tar.xz")
_OURS = (MANIFEST, SUMS, "airgap.json", "airgap.pyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """One image of an archive or of an OCI layout, which is a directory then.

    `ref` is its name there, empty when it has none; `size` is the bytes of its blobs.

    `platform` is what its config says, of an index what all say that are there; `partial` where some are not.
    """

    file: Path
    ref: str
    platform: str
    size: int
    partial: bool = False

    @property
    def location(self) -> LocalImage:
        """Where it is, as a spec names it."""
        transport: Literal["oci", "docker-archive"] = "oci" if self.file.is_dir() else "docker-archive"
        return LocalImage(transport=transport, path=self.file, ref=self.ref)


def is_hand_made(path: Path) -> bool:
    """Whether a directory holds images or packaged charts, and nothing of what `doit bundle` adds."""
    if not path.is_dir() or any((path / name).exists() for name in _OURS):
        return False
    return bool(image_files(path) or chart_files(path))


def image_files(path: Path) -> list[Path]:
    """The image archives (compressed ones too) and OCI layouts of such a directory: in images/, and beside it.

    Beside it lie bundles of ours as well, each with its checksums: those are none.
    """
    places = (path, *_below(path), *_below(path / "images"))
    layouts = [each for each in places if (each / OCI_LAYOUT).is_file() and (each / INDEX).is_file()]
    within = [file for pattern in _ARCHIVES for file in (path / "images").glob(pattern) if file.is_file()]
    beside = [file for pattern in _ARCHIVES for file in path.glob(pattern) if file.is_file()]
    flat = [each for each in beside if not sums_path(each).exists()]
    return [*sorted(within), *(sorted(flat) if any(map(holds_images, flat)) else ()), *layouts]


def _below(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []


def chart_files(path: Path) -> list[Path]:
    """The packaged charts of such a directory: all that is packed in charts/, and what is a chart beside it."""
    within = (file for file in (path / "charts").glob("*.tgz") if file.is_file())
    return [*sorted(within), *sorted(file for file in path.glob("*.tgz") if _is_chart(file))]


def _is_chart(file: Path) -> bool:
    try:
        if not file.is_file() or file.stat().st_size > MAX_UNPACKED:
            return False
        return bool(read_archive(file.read_bytes(), keep="Chart.yaml".__eq__, subject=file.name))
    except (AirgapError, OSError):
        return False


def read_archive_images(
    file: Path, *, meter: Meter, bad: list[AirgapError] | None = None, open_zstd: OpenZstd | None = None
) -> tuple[SavedImage, ...]:
    """All images of an archive, each read to its end and checked by its digests.

    SourceError for an archive that can't be read or is cut off, IntegrityError for a damaged one; where several are in
    it, and `bad` is given, such an error of one is put there and does not stop the others.
    """
    found = []
    with storage_errors(f"read {file.name!r}", file):
        names = names_in(file, subject=file.name, open_zstd=open_zstd)
        for name in names:
            try:
                found.append(_checked(file, name, meter, open_zstd))
            except (SourceError, IntegrityError) as err:
                if bad is None or len(names) == 1:
                    raise
                bad.append(err)
    return tuple(found)


def _checked(file: Path, ref: str, meter: Meter, open_zstd: OpenZstd | None) -> SavedImage:
    subject = f"{file.name}: image {ref!r}" if ref else file.name
    saved = SavedImage(file=file, ref=ref, platform="", size=0)
    source = open_local(saved.location, subject=subject, open_zstd=open_zstd)
    top = parse_manifest(source.manifest, source.resolve(), subject)
    parts = [each for each in top.manifests if is_image(each)] if top.is_index else [top.descriptor]
    whole, first = list[Manifest](), None
    for part in parts:
        try:
            whole += _whole(source, part, subject)
        except AbsentError as err:
            first = first or err
    if first and not whole:
        raise first
    blobs = {blob.digest: blob for each in whole for blob in each.children()}
    meter.expect(subject, sum(blob.size for blob in blobs.values()), len(blobs))
    for blob in blobs.values():
        for chunk in _verified(source, blob, subject):
            meter.advance(subject, len(chunk))
    return replace(
        saved,
        platform=",".join(dict.fromkeys(filter(None, (_platform(source, each) for each in whole)))),
        size=sum(blob.size for blob in blobs.values()),
        partial=first is not None,
    )


def _whole(source: ImageSource, root: Descriptor, subject: str) -> list[Manifest]:
    """The manifests of one platform, all of whose blobs are there; an AbsentError where one is not.

    `docker save` of Docker 25 and later names all platforms of an image, and holds those that were pulled.
    """
    manifests = [each for each in walk_manifests(source.manifest, root, subject) if not each.is_index]
    for manifest in manifests:
        for blob in manifest.children():
            next(iter(source.read(blob, 0)), b"")
    return manifests


def _verified(source: ImageSource, blob: Descriptor, subject: str) -> Iterator[bytes]:
    """The blob's bytes; an IntegrityError at their end when they are not what the digest says."""
    hasher, size = blob.digest.hasher(), 0
    try:
        for chunk in source.read(blob, 0):
            hasher.update(chunk)
            size += len(chunk)
            yield chunk
    except FileNotFoundError as err:
        raise SourceError(f"{subject} has no {blob.digest}", hint="save it again") from err
    if size != blob.size or hasher.hexdigest() != blob.digest.hex:
        raise IntegrityError(
            f"{subject}: {blob.digest} is damaged: expected {blob.size} bytes, found {size} with "
            f"{blob.digest.algorithm}:{hasher.hexdigest()}",
            hint="save it again",
        )


def _platform(source: ImageSource, manifest: Manifest) -> str:
    """What an image's config says, as far as it says it; empty for what has none."""
    if manifest.config.media_type not in media_types.IMAGE_CONFIGS or manifest.config.size > _MAX_CONFIG:
        return ""
    try:
        data = strict_json.decode(b"".join(source.read(manifest.config, 0)), "the image's config")
    except FormatError:
        return ""
    return str(Platform.from_dict(data)) if isinstance(data, dict) else ""
