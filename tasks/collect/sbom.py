"""The steps that list what is in the images: for each a CycloneDX file in the bundle."""

import shutil
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from bundle.metadata.checksums import hash_files
from bundle.oci.digest import Digest
from bundle.sbom.summary import sbom_path
from bundle.storage.files import write_bytes
from schema.spec.contents import ImageSpec
from tasks.collect import referrers
from tasks.collect.delta import is_inside
from tasks.collect.images import pin_of
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step
from tasks.runtime.version import VERSION

_SHOWN = 3  # of what could not be read


def sbom_steps(project: Project) -> Iterator[Step]:
    """`sbom:<image>`: the list of its packages is in the growing bundle; absent where the spec wants none."""
    for image in listed(project):
        yield Step(
            base="sbom",
            name=image.name,
            doc=f"list its packages in {sbom_path(image.name)}",
            action=partial(_write, project, image),
            inputs=partial(_inputs, project, image),
            outputs=partial(_outputs, project, image),
            after=(f"pull:{image.name}",),
        )


def listed(project: Project) -> tuple[ImageSpec, ...]:
    """The images whose packages the bundle lists: of a delta those that its base does not have as they are."""
    images = project.spec.images if project.spec.bundle.sbom else ()
    return tuple(image for image in images if not is_inside(project, image))


def files(project: Project) -> tuple[str, ...]:
    """The files that the steps make, by their paths in the bundle."""
    return tuple(sbom_path(image.name) for image in listed(project))


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every file that the steps made, by its path in the bundle."""
    return hash_files(project.tree, files(project))


@cache
def find_syft(project: Project) -> Path | None:
    """The syft of this machine; None where there is none. Looked for once in a run, not for each image."""
    found = shutil.which("syft", path=project.env.get("PATH"))
    return Path(found) if found else None


def _inputs(project: Project, image: ImageSpec) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    return {
        "source": pin.source,
        "digest": str(pin.digest),
        "attestation": str(pin.attestation or ""),
        "syft": str(find_syft(project) or ""),
        "version": VERSION,
        "tree": str(project.tree),
        **referrers.identity(image, pin),
    }


def _outputs(project: Project, image: ImageSpec) -> list[Path]:
    return [project.tree / sbom_path(image.name)]


def _write(project: Project, image: ImageSpec) -> None:
    # What reads images and writes CycloneDX is imported only here: a run with nothing to do starts without it.
    from clients.sbom.cyclonedx import write_sbom
    from tasks.collect.packages import look_inside

    project.claim()
    made = look_inside(project, image, syft=find_syft(project))
    write_bytes(project.tree / sbom_path(image.name), write_sbom(made, tool_version=VERSION))
    count = len({package.purl for each in made.contents for package in each.inventory.packages})
    origins = ", ".join(sorted({each.origin for each in made.contents}))
    project.note(f"sbom:{image.name}", f"{count} package{'' if count == 1 else 's'} (source: {origins})")
    not_read = [text for each in made.contents for text in each.inventory.not_read]
    for text in not_read[:_SHOWN]:
        project.console.line(f"   warning: {sbom_path(image.name)}: not read: {text}")
    if len(not_read) > _SHOWN:
        project.console.line(f"   warning: {sbom_path(image.name)} names {len(not_read) - _SHOWN} more of these")
