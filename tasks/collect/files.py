"""The steps of other files: fetched or taken from their place, kept in the cache, placed in the bundle."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import IntegrityError, LockError, SourceError
from bundle.formats.sizes import human
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK, place, writing
from schema.lock import FilePin
from schema.spec.contents import FileSpec
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step

if TYPE_CHECKING:
    from bundle.metadata.entries import FileEntry


def file_steps(project: Project) -> Iterator[Step]:
    """`file:<name>`: the file is in the growing bundle, executable when it is a tool."""
    for file in project.spec.files:
        yield Step(
            base="file",
            name=file.name,
            doc=f"bring {file.source_text} into files/",
            action=partial(_file, project, file),
            inputs=partial(_inputs, project, file),
            outputs=partial(_outputs, project, file),
            local=[file.source] if isinstance(file.source, Path) else (),
            clean=partial(_made, project, file),
        )


def file_pin(project: Project, file: FileSpec) -> FilePin | None:
    """The file's pin, when the lock has one that belongs to what the spec says now."""
    pin = project.lock.files.get(file.name)
    return pin if pin and pin.fits(file) else None


def resolve(project: Project, file: FileSpec) -> FilePin:
    """The pin of the file as it is now; a remote one is fetched into the cache, checked against the spec's sha256."""
    found = _take(project, file, expected=file.sha256, size=None)
    project.store.settle(found)
    return FilePin(source=file.source_text, sha256=found.digest, size=found.size)


def file_entry(project: Project, file: FileSpec) -> "FileEntry":
    """What the manifest says of a file."""
    from bundle.metadata.entries import FileEntry

    pin = _required_pin(project, file)
    return FileEntry(
        name=file.name,
        source=file.source_text,
        file=_path(file),
        digest=pin.sha256,
        size=pin.size,
        tool=file.tool,
    )


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every file that the file steps made, by its path in the bundle."""
    return {_path(file): _required_pin(project, file).sha256 for file in project.spec.files}


def _required_pin(project: Project, file: FileSpec) -> FilePin:
    pin = file_pin(project, file)
    if not pin:
        raise LockError(f"file {file.name!r} is not pinned", hint=f"doit file:{file.name}")
    return pin


def _path(file: FileSpec) -> str:
    return f"files/{file.name}"


def _inputs(project: Project, file: FileSpec) -> Inputs | None:
    pin = file_pin(project, file)
    if not pin:
        return None
    return {"source": pin.source, "sha256": str(pin.sha256), "tool": file.tool, "tree": str(project.tree)}


def _outputs(project: Project, file: FileSpec) -> list[Path]:
    return [project.tree / _path(file)]


def _made(project: Project, file: FileSpec) -> list[Path]:
    """What `clean` removes: the file in the growing bundle, and the one in the cache."""
    pin = file_pin(project, file)
    return [*_outputs(project, file), *([project.store.path(pin.sha256)] if pin else [])]


def _file(project: Project, file: FileSpec) -> None:
    project.claim()
    pin = file_pin(project, file)
    if pin:
        _check_unchanged(file, pin)
        found = _take(project, file, expected=pin.sha256, size=pin.size)
        project.store.settle(found)
    else:
        pin = resolve(project, file)
        project.change_lock(lambda lock: lock.with_file(file.name, pin))
    target = project.tree / _path(file)
    if file.tool:
        _copy_executable(project.store.path(pin.sha256), target, pin.sha256)
    else:
        place(project.store.path(pin.sha256), target)
    project.note(f"file:{file.name}", f"{_path(file)}, {human(pin.size)}")


def _take(project: Project, file: FileSpec, *, expected: Digest | None, size: int | None) -> Descriptor:
    from clients.download import download, take_local

    subject = f"file {file.name!r}"
    if isinstance(file.source, Path):
        return take_local(file.source, sha256=expected, subject=subject, store=project.store, meter=project.console)
    if expected is None:
        raise SourceError(f"{subject} has no sha256", hint="give its sha256 in the spec")
    return download(
        file.source, sha256=expected, subject=subject, store=project.store, registries=project.registries, size=size
    )


def _check_unchanged(file: FileSpec, pin: FilePin) -> None:
    if not isinstance(file.source, Path) or file.sha256:
        return
    from clients.download import describe_local

    now = describe_local(file.source, subject=f"file {file.name!r}")
    if now.digest != pin.sha256:
        raise LockError(
            f"file {file.name!r}: {file.source} now has {now.digest}, the lock pins {pin.sha256}",
            hint="put the expected file there; if the change is wanted, run `doit lock`",
        )


def _copy_executable(source: Path, target: Path, digest: Digest) -> None:
    """A tool is a copy: the cache's own file stays without the right to be executed."""
    hasher = digest.hasher()
    with source.open("rb") as reader, writing(target, mode=0o755) as writer:
        while chunk := reader.read(CHUNK):
            hasher.update(chunk)
            writer.write(chunk)
    if hasher.hexdigest() != digest.hex:
        target.unlink()
        raise IntegrityError(f"{source} is damaged", hint="run again: it will be fetched anew")
