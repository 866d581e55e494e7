"""The last lines of a run: what there is now, what it cost, and what to type next."""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bundle.formats.sizes import counted, human
from tasks.collect.delta import carried, goes_back, unchanged
from tasks.collect.helm import INSTALL_HINT
from tasks.proof.prove import results
from tasks.runtime.project import Project, archive_parts


def summarise(
    project: Project, selected: Sequence[str], *, ran: int, skipped: int, receipt: Callable[[], Path]
) -> None:
    """Print the summary of a run that did what it should; `receipt` is that of an install."""
    console = project.console
    if "install" in selected:
        _installed(project, ran=ran, skipped=skipped, receipt=receipt)
        return
    if "bundle" not in selected or not project.has_spec:
        if ran == 0 and skipped:
            console.line(f"nothing to do: {skipped} steps are up to date")
        return
    spec = project.spec
    contents = ((spec.images, "image"), (spec.charts, "chart"), (spec.files, "file"))
    counts = ", ".join(counted(len(items), noun) for items, noun in contents)
    if ran == 0:
        console.line(f"nothing to do: bundle {spec.bundle.name} {spec.bundle.version} is up to date ({counts})")
    else:
        console.line()
        console.line(f"bundle {spec.bundle.name} {spec.bundle.version}: {counts}")
        console.line(f"  fetched    {human(console.moved)}, already present {human(console.reused)}")
        console.line(f"  steps      {ran} run in {console.seconds:.1f} s, {skipped} up to date")
    if spec.bundle.directory:
        console.line(f"  directory  {_shown(project.directory)}")
    for path in archive_parts(project):
        console.line(f"  archive    {_shown(path)} ({human(path.stat().st_size)})")
    for line in (*_left_out(project), *_unproven(project)):
        console.line(line)
    first = next(iter(archive_parts(project)), project.directory)
    since = f" since={shlex.quote(_shown(project.since))}" if project.since else ""
    console.line(f"next: doit verify bundle={shlex.quote(_shown(first))}{since}")
    console.line("      and transfer it to the air-gapped side")


def _left_out(project: Project) -> Iterator[str]:
    """Said at every run: a delta is of use only where its base is."""
    found = carried(project)
    if found is None:
        return
    yield f"  carried    {counted(found.held, 'blob')}, {human(found.held_size)}"
    yield f"  left out   {counted(found.left_out, 'blob')}, {human(found.left_out_size)}, which are inside"
    yield f"             as {found.base} says"
    if goes_back(project):
        yield f"             that is a later version: this bundle goes back to {project.spec.bundle.version}"
    if not found.left_out:
        yield "             nothing of it is in this bundle: it is as large as a full one"
    elif unchanged(project):
        yield "             every image is as it was there: no layer is carried"


def _unproven(project: Project) -> Iterator[str]:
    """Said at every run: a bundle that may lack images looks like any other."""
    names = [entry.release for entry in results(project) or () if not entry.proven]
    if names:
        yield f"  NOT PROVEN that the bundle has every image of {', '.join(names)}: helm is not at hand"
        yield f"             to prove it: {INSTALL_HINT}"


def _installed(project: Project, *, ran: int, skipped: int, receipt: Callable[[], Path]) -> None:
    console = project.console
    if ran == 0:
        console.line(f"nothing to do: the bundle is installed, {skipped} steps are up to date")
        return
    console.line()
    console.line(f"installed: {ran} steps run in {console.seconds:.1f} s, {skipped} up to date")
    if console.moved or console.reused:  # what a Docker Engine pushes is not counted
        console.line(f"  pushed     {human(console.moved)}, already present {human(console.reused)}")
    console.line(f"  receipt    {_shown(receipt())}: bring it back, it records what is installed")
    for line in project.closing.splitlines():
        console.line(line)


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
