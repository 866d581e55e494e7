"""A bundle that was fetched and is good gets its name; nothing but a bundle of that name is replaced."""

import os
from pathlib import Path

from bundle.archive.artifact import Artifact
from bundle.archive.parts import find_archive, sums_path
from bundle.archive.reader import open_bundle
from bundle.errors import AirgapError, StorageError
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.names import MANIFEST
from bundle.storage.files import inside, replace_directory, sync_directory


def land_directory(staged: Path, out: Path) -> Path:
    """Give a fetched directory its name; a StorageError where anything but a bundle of that name would be lost."""
    manifest = BundleManifest.decode((staged / MANIFEST).read_bytes())
    target = inside(out, f"{manifest.name}-{manifest.version}")
    if os.path.lexists(target):
        _refuse_another(target, manifest.name)
    replace_directory(staged, target)
    return target


def _refuse_another(target: Path, name: str) -> None:
    """Raise a StorageError where what lies at `target` would be lost: anything but a bundle of this name."""
    try:
        same = not target.is_symlink() and open_bundle(target).manifest.name == name
    except (OSError, AirgapError):
        same = False
    if not same:
        raise StorageError(
            f"{str(target)!r} is there already and is not a bundle {name!r}: it was left as it is",
            hint="move it away, or choose another directory with out=DIR",
        )


def land_archive(staged: Path, artifact: Artifact, out: Path) -> Path:
    """Parts first, their list of checksums last; then parts of an earlier archive of the name go."""
    archive = find_archive(staged / artifact.archive)
    if any(os.path.lexists(out / file.name) and not file.lies_in(out) for file in artifact.files):
        _refuse_another(out / artifact.archive, open_bundle(staged / artifact.archive).manifest.name)
    sums = sums_path(archive.archive).name
    names = [*archive.names, *([sums] if (staged / sums).is_file() else [])]
    for name in names:
        (staged / name).replace(out / name)
    sync_directory(out)
    for name in find_archive(out / artifact.archive).extra:
        (out / name).unlink()
    return out / artifact.archive
