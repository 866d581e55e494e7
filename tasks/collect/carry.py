"""The files that install needs besides images and charts: values, CA certificates, what actions run."""

from collections.abc import Iterator
from functools import partial

from bundle.formats.sizes import counted
from bundle.metadata.checksums import hash_files
from bundle.metadata.names import INSTALL
from bundle.oci.digest import Digest
from bundle.storage.files import writing
from schema.spec.carried import carried_files
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step


def carry_steps(project: Project) -> Iterator[Step]:
    """`carry`: values files, certificates and actions' scripts are in the growing bundle, below install/."""
    files = carried_files(project.spec)
    if not files:
        return
    yield Step(
        base="carry",
        doc="bring what install needs: values, CA certificates, actions' files",
        action=partial(_carry, project),
        inputs=lambda: _inputs(project),
        outputs=lambda: [project.tree / name for name in files],
        local=list(files.values()),
    )


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every carried file, by its path in the bundle."""
    return hash_files(project.tree, carried_files(project.spec))


def _inputs(project: Project) -> Inputs:
    return {"files": sorted(carried_files(project.spec)), "tree": str(project.tree)}


def _carry(project: Project) -> None:
    project.claim()
    files = carried_files(project.spec)
    for name, path in files.items():
        executable = path.stat().st_mode & 0o111
        with path.open("rb") as reader, writing(project.tree / name, mode=0o755 if executable else 0o644) as writer:
            writer.write(reader.read())
    project.note("carry", f"{counted(len(files), 'file')} in {INSTALL}/")
