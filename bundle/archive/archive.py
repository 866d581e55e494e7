"""The whole bundle as one reproducible tar stream: `<name>-<version>/` with SHA256SUMS and manifest.json first."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bundle.archive.parts import ArchiveFiles, find_archive, sums_path, writing_parts
from bundle.errors import BundleError, SourceError, storage_errors
from bundle.images.docker_archive import EPOCH, ImageArchive
from bundle.metadata.checksums import SIGNATURE, SUMS, list_files, parse_sums
from bundle.metadata.names import MANIFEST
from bundle.meter import Meter, SilentMeter
from bundle.oci.digest import Digest
from bundle.storage.files import require_room
from bundle.storage.tar_writer import Known, TarWriter, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedArchive:
    """What packing wrote: the archive or its parts in order, the list of their checksums, and their bytes together."""

    parts: tuple[Path, ...]
    sums: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """An image's own archive that is made while the bundle's is written; its size is known."""

    archive: ImageArchive
    size: int


Elsewhere = Mapping[str, Path | MadeImage]
"""Files of a bundle, by their names in it, that do not lie in its directory."""


def pack(
    bundle: Path,
    archive: Path,
    *,
    epoch: int,
    split: int | None = None,
    meter: Meter | None = None,
    top: str = "",
    elsewhere: Elsewhere | None = None,
    known: Known = unknown,
) -> PackedArchive:
    """Pack the bundle directory into `archive`, or into parts `<archive>.001`, ... of at most `split` bytes.

    `top` names it inside, else the directory's name does. Files `elsewhere` are taken from there. Every file is checked
    against SHA256SUMS while it streams (a mark tells nothing of who sets times back), but for those that are `known` to
    be good. The last archive stays until the new one is complete. `epoch` (seconds since 1970) dates the members.
    BundleError when files and SHA256SUMS do not agree, IntegrityError for a damaged file, StorageError when the disk is
    full; then nothing new is left behind.
    """
    subject = f"archive {archive.name!r}"
    meter = meter or SilentMeter()
    with storage_errors(f"write {subject}", archive):
        sums = (bundle / SUMS).read_bytes()
        digests = parse_sums(sums, SUMS)
        files = {**{name: bundle / name for name in list_files(bundle)}, **(elsewhere or {})}
        _check_listed(bundle, files.keys(), digests)
        size = sum(map(_size, files.values()))
        require_room(archive, size, cloned=True)
        meter.expect(subject, size)
        with writing_parts(archive, limit=split) as parts:
            tar = TarWriter(parts, epoch=epoch, subject=subject, meter=meter, known=known)
            _write_lists(tar, bundle, top or bundle.name, sums)
            _write_files(tar, top or bundle.name, files, digests)
            tar.close()
        written = find_archive(archive)
        paths = tuple(written.path(name) for name in written.names)
        return PackedArchive(parts=paths, sums=sums_path(archive), size=sum(path.stat().st_size for path in paths))


def present_archive(path: Path) -> ArchiveFiles:
    """The files of the archive that `path` names, all of them there; a SourceError names the parts that are missing."""
    files = find_archive(path)
    if files.missing:
        raise SourceError(
            f"archive {files.archive.name!r} is missing {', '.join(files.missing)}",
            hint=f"carry these over too, into {str(files.archive.parent)!r}",
        )
    return files


def _write_lists(tar: TarWriter, bundle: Path, top: str, sums: bytes) -> None:
    tar.directory(top)
    tar.data(f"{top}/{SUMS}", sums)
    if (bundle / SIGNATURE).exists():
        tar.data(f"{top}/{SIGNATURE}", (bundle / SIGNATURE).read_bytes())


def _write_files(tar: TarWriter, top: str, files: Elsewhere, digests: Mapping[str, Digest]) -> None:
    known = {PurePosixPath()}
    for name in sorted(digests, key=lambda name: (name != MANIFEST, name)):
        for parent in reversed(PurePosixPath(name).parents):
            if parent not in known:
                known.add(parent)
                tar.directory(f"{top}/{parent}")
        file, digest = files[name], digests[name]
        if isinstance(file, MadeImage):
            tar.tar(f"{top}/{name}", file.size, file.archive.write, epoch=EPOCH)
        else:
            tar.file(f"{top}/{name}", file, digest=digest)


def _size(file: Path | MadeImage) -> int:
    return file.size if isinstance(file, MadeImage) else file.stat().st_size


def _check_listed(bundle: Path, present: AbstractSet[str], digests: Mapping[str, Digest]) -> None:
    problems = [f"missing: {name}" for name in sorted(digests.keys() - present)]
    problems += [f"not in {SUMS}: {name}" for name in sorted(present - digests.keys())]
    if problems:
        raise BundleError(f"bundle {bundle.name!r} can't be packed", problems, hint="run `doit bundle` again")
