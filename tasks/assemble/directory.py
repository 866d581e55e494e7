"""The finished bundle: its list of checksums, and the directory in its place."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, IntegrityError, storage_errors
from bundle.formats import strict_json
from bundle.metadata.checksums import SIGNATURE, SUMS, hash_files, parse_sums, write_sums
from bundle.metadata.names import REPORT, REPORT_DATA, ZIPAPP
from bundle.oci.digest import Digest
from bundle.storage.files import (
    alone,
    inside,
    place,
    replace_directory,
    require_room,
    sync_directory,
    temporary,
    write_bytes,
)
from bundle.storage.marks import identity_of, unmark
from tasks.assemble.manifest import _STATED, _stamp, identity, stated
from tasks.collect import carry, charts, files, save, sbom
from tasks.runtime.project import Project
from tasks.runtime.step import Step


def checksum_steps(project: Project) -> Iterator[Step]:
    """`checksum`: SHA256SUMS over every file of the bundle."""
    yield Step(
        base="checksum",
        doc=f"write {SUMS}",
        action=lambda: _write_sums(project),
        inputs=lambda: identity(project, stated=stated(project, *_reports(project))),
        outputs=lambda: (project.tree / SUMS,),
        follows=("manifest", "zipapp", "carry", "sbom", "describe"),
    )


def directory_steps(project: Project) -> Iterator[Step]:
    """`directory`: the finished bundle takes its place in one step; until then the last good one stays."""
    if not project.spec.bundle.directory:
        return
    yield Step(
        base="directory",
        doc="put the finished bundle in its place",
        action=lambda: _publish(project),
        inputs=lambda: identity(project, at=str(project.directory), **seal(project)),
        outputs=lambda: published_files(project.directory),
        follows=("checksum", "sign"),
        clean=lambda: published_files(project.directory),
    )


def published_files(directory: Path) -> Sequence[Path]:
    """Every file of a finished bundle directory; only its (missing) SHA256SUMS when there is none."""
    signed = [directory / SIGNATURE] if (directory / SIGNATURE).is_file() else []
    return (directory / SUMS, *signed, *(inside(directory, name) for name in _listed(directory)))


def _listed(directory: Path) -> Mapping[str, Digest]:
    path = directory / SUMS
    return parse_sums(path.read_bytes(), str(path)) if path.is_file() else {}


def seal(project: Project) -> dict[str, Any]:
    """What is checked first on the far side: the list of checksums, and its signature where there is one."""
    return {name: _stamp(project.tree / name) for name in _sealing(project)}


def _sealing(project: Project) -> tuple[str, ...]:
    return (SUMS, SIGNATURE) if project.spec.bundle.sign else (SUMS,)


def known_digests(project: Project) -> dict[str, Digest]:
    """What SHA256SUMS will say of all files but the report.

    The parts' digests are known from when they were written; only the small files are read.
    """
    kinds = (save, charts, files, carry, sbom)
    digests = {name: digest for kind in kinds for name, digest in kind.digests(project).items()}
    return digests | hash_files(project.tree, (*_STATED, ZIPAPP, *save.index_files(project)))


def _reports(project: Project) -> Sequence[str]:
    return (REPORT, REPORT_DATA) if project.spec.bundle.report else ()


def _write_sums(project: Project) -> None:
    project.claim()
    digests = known_digests(project) | hash_files(project.tree, _reports(project))
    write_sums(project.tree / SUMS, digests)
    sync_directory(project.lock_path.parent)  # the lock says what is in here; once for all pins
    project.note("checksum", f"{len(digests)} files")


def _publish(project: Project) -> None:
    """Make the directory anew beside its place, out of links to the growing bundle, then swap it in."""
    project.claim()
    with alone(project.options.out):
        new = temporary(project.directory)
        try:
            _fill(project, new)
            replace_directory(new, project.directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    prune(project)
    _note_compared(project)
    project.note("directory", str(project.directory))


def _fill(project: Project, new: Path) -> None:
    """Place all files of the bundle in `new`. A copy that the last directory has, on a file system of its own, is kept:
    it is linked from there, where there are links.

    What was touched since it was last compared is read: no time that was set back gets a changed byte into a bundle.
    """
    wanted, last = _listed(project.tree), _last(project.directory)
    sources = {}
    for name in (*_sealing(project), *wanted):
        source, before = inside(project.tree, name), inside(project.directory, name)
        known = name in wanted and wanted[name] == last.get(name)
        sources[name] = before if known and _is_copy(before, source) else source
    if project.tree.stat().st_dev != project.options.out.stat().st_dev:
        copied = (path.stat().st_size for name, path in sources.items() if path == inside(project.tree, name))
        with storage_errors(f"write the bundle to {str(project.directory)!r}", project.options.out):
            require_room(project.directory, sum(copied))
    compared = _compared(project)
    doubtful = [name for name in wanted if compared.get(name) != _identity(sources[name])]
    for name, path in sources.items():
        place(path, inside(new, name))
    for name, found in hash_files(new, doubtful).items():
        if found != wanted[name]:
            unmark(sources[name], wanted[name])
            raise IntegrityError(
                f"bundle {project.directory.name!r}: {name!r} changed on the disk: expected {wanted[name]}, "
                f"found {found}",
                hint="run again: what was fetched is fetched anew; check the disk if this comes back",
            )


def _compared(project: Project) -> Mapping[str, Any]:
    """When each file of the last finished directory was touched last, as of its end: all of them were good then."""
    try:
        noted = strict_json.loads(_compared_path(project).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _note_compared(project: Project) -> None:
    noted = {name: _identity(inside(project.directory, name)) for name in _listed(project.directory)}
    write_bytes(_compared_path(project), json.dumps(noted, sort_keys=True).encode(), mode=0o600)


def _compared_path(project: Project) -> Path:
    return project.work / "compared.json"


def _identity(path: Path) -> list[int]:
    """What changes with any write to a file, as it is noted; a link changes it too, which costs one reading."""
    return list(identity_of(path.stat()))


def _last(directory: Path) -> Mapping[str, Digest]:
    """What the last finished bundle lists; nothing where there is none, or its list is damaged."""
    try:
        return _listed(directory)
    except FormatError:
        return {}


def _is_copy(path: Path, source: Path) -> bool:
    """Whether a file is another one than `source`, and untouched since it was copied from it."""
    try:
        found, wanted = path.stat(), source.stat()
    except OSError:
        return False
    same = (found.st_mtime_ns, found.st_size, found.st_mode) == (wanted.st_mtime_ns, wanted.st_size, wanted.st_mode)
    return same and (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino)


def prune(project: Project) -> None:
    """Remove from the growing bundle what the finished one does not take from it: images and files of earlier specs."""
    wanted = {*_sealing(project), *_listed(project.tree)}
    if not project.spec.bundle.directory:
        wanted -= save.from_cache(project).keys()
    for path in project.tree.rglob("*"):
        if path.is_file() and path.relative_to(project.tree).as_posix() not in wanted:
            path.unlink(missing_ok=True)
