"""The whole bundle as one reproducible tar stream: `<name>-<version>/` with SHA256SUMS and manifest.json first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bundle.archive.parts import ArchiveFiles, find_archive, sums_path, writing_parts
from bundle.errors import BundleError, SourceError, storage_errors
from bundle.metadata.checksums import SIGNATURE, SUMS, list_files, parse_sums
from bundle.metadata.names import MANIFEST
from bundle.meter import Meter, SilentMeter
from bundle.oci.digest import Digest
from bundle.storage.files import inside
from bundle.storage.tar_writer import TarWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedArchive:
    """What packing wrote: the archive or its parts in order, the list of their checksums, and their bytes together."""

    parts: tuple[Path, ...]
    sums: Path
    size: int


def pack(
    bundle: Path, archive: Path, *, epoch: int, split: int | None = None, meter: Meter | None = None
) -> PackedArchive:
    """Pack the bundle directory into `archive`, or into parts `<archive>.001`, ... of at most `split` bytes.

    Every file is checked against SHA256SUMS while it streams. The last archive stays until the new one is complete.
    `epoch` (seconds since 1970) dates the members. BundleError when files and SHA256SUMS do not agree, IntegrityError
    for a damaged file, StorageError when the disk is full; then nothing new is left behind.
    """
    subject = f"archive {archive.name!r}"
    meter = meter or SilentMeter()
    with storage_errors(f"write {subject}", archive):
        sums = (bundle / SUMS).read_bytes()
        digests = parse_sums(sums, SUMS)
        _check_listed(bundle, digests)
        meter.expect(subject, sum(inside(bundle, name).stat().st_size for name in digests))
        with writing_parts(archive, limit=split) as parts:
            tar = TarWriter(parts, epoch=epoch, subject=subject, meter=meter)
            _write_members(tar, bundle, sums, digests)
            tar.close()
        files = find_archive(archive)
        paths = tuple(files.path(name) for name in files.names)
        return PackedArchive(parts=paths, sums=sums_path(archive), size=sum(path.stat().st_size for path in paths))


def present_archive(path: Path) -> ArchiveFiles:
    """The files of the archive that `path` names, all of them there; a SourceError names the parts that are missing."""
    files = find_archive(path)
    if files.missing:
        raise SourceError(
            f"archive {files.archive.name!r} lacks {', '.join(files.missing)}",
            hint=f"carry these over too, into {str(files.archive.parent)!r}",
        )
    return files


def _write_members(tar: TarWriter, bundle: Path, sums: bytes, digests: Mapping[str, Digest]) -> None:
    top = bundle.name
    tar.directory(top)
    tar.data(f"{top}/{SUMS}", sums)
    if (bundle / SIGNATURE).exists():
        tar.data(f"{top}/{SIGNATURE}", (bundle / SIGNATURE).read_bytes())
    known = {PurePosixPath()}
    for name in sorted(digests, key=lambda name: (name != MANIFEST, name)):
        for parent in reversed(PurePosixPath(name).parents):
            if parent not in known:
                known.add(parent)
                tar.directory(f"{top}/{parent}")
        tar.file(f"{top}/{name}", inside(bundle, name), digest=digests[name])


def _check_listed(bundle: Path, digests: Mapping[str, Digest]) -> None:
    present = set(list_files(bundle))
    problems = [f"missing: {name}" for name in sorted(digests.keys() - present)]
    problems += [f"not in {SUMS}: {name}" for name in sorted(present - digests.keys())]
    if problems:
        raise BundleError(f"bundle {bundle.name!r} can't be packed", problems, hint="run `doit bundle` again")
