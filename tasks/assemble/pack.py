"""The bundle as one archive, or as parts of a given size."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundle.formats.sizes import human
from bundle.metadata.checksums import SUMS
from bundle.metadata.names import MANIFEST
from tasks.assemble.directory import prune, seal
from tasks.assemble.manifest import identity
from tasks.collect import save
from tasks.runtime.console import LocalWork
from tasks.runtime.project import Project, archive_parts, archive_path
from tasks.runtime.step import Step


def pack_steps(project: Project) -> Iterator[Step]:
    """`pack`: the bundle as one archive, or as parts of a given size."""
    spec = project.spec.bundle
    if not spec.archive:
        return
    yield Step(
        base="pack",
        doc=f"write {archive_path(project).name}" + (f" in parts of {human(spec.split)}" if spec.split else ""),
        action=lambda: _pack(project),
        inputs=lambda: identity(project, at=str(archive_path(project)), split=spec.split or 0, **seal(project)),
        outputs=lambda: archive_files(project),
        follows=("directory",) if spec.directory else ("checksum", "sign"),
    )


def archive_files(project: Project) -> Sequence[Path]:
    """The list of checksums, and the archive or parts that it lists."""
    from bundle.archive.parts import sums_path

    return (sums_path(archive_path(project)), *archive_parts(project))


def _pack(project: Project) -> None:
    from bundle.archive import archive
    from bundle.metadata.manifest import BundleManifest

    project.claim()
    _warn_of_fat32(project)
    kept = project.spec.bundle.directory
    if not kept:
        prune(project)
    source = project.directory if kept else project.tree
    manifest = BundleManifest.decode((source / MANIFEST).read_bytes())
    packed = archive.pack(
        source,
        archive_path(project),
        epoch=int(manifest.created.timestamp()),
        split=project.spec.bundle.split,
        meter=LocalWork(project.console),
        top=project.directory_name,
        elsewhere=None if kept else save.from_cache(project),
        known=project.store.is_as_it_came,
    )
    if not kept and (project.directory / SUMS).is_file():
        shutil.rmtree(project.directory)  # of an earlier run, whose spec wanted one: another bundle than the archive
    parts = f" in {len(packed.parts)} parts" if len(packed.parts) > 1 else ""
    project.note("pack", f"{packed.parts[0]}, {human(packed.size)}{parts}")


def _warn_of_fat32(project: Project) -> None:
    """Say that parts of just 4 GiB miss FAT32 by one byte: they are what one writes with FAT32 in mind."""
    from bundle.archive.parts import FAT32_MOST

    if project.spec.bundle.split == FAT32_MOST + 1:
        project.console.line(
            f"   warning: parts of 4GiB are one byte too large for FAT32, which holds {FAT32_MOST} bytes in a file; "
            "for a medium with FAT32 set bundle.split to 4095MiB"
        )
