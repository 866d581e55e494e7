"""The steps that list what is in the images: for each a CycloneDX file in the bundle."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bundle.descriptor import Descriptor
from bundle.digest import Digest
from bundle.files import write_bytes
from bundle.sbom_summary import sbom_path
from bundle.sums import hash_files
from schema.spec import ImageSpec
from tasks.delta import is_inside
from tasks.images import pin_of, required_pin
from tasks.project import Project
from tasks.step import Inputs, Step
from tasks.version import VERSION

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


def _inputs(project: Project, image: ImageSpec) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    return {"source": pin.source, "digest": str(pin.digest), "version": VERSION, "tree": str(project.tree)}


def _outputs(project: Project, image: ImageSpec) -> list[Path]:
    return [project.tree / sbom_path(image.name)]


def _write(project: Project, image: ImageSpec) -> None:
    # What reads images and writes CycloneDX is imported only here: a run with nothing to do starts without it.
    from bundle.packages.image_contents import Contents, ImageContents, images_of, platform_of, read_layers  # noqa: PLC0415
    from clients.sbom_writer import write_sbom  # noqa: PLC0415
    from clients.zstd import open_zstd  # noqa: PLC0415

    project.claim()
    pin, store = required_pin(project, image), project.store
    manifests = list(images_of(store, Descriptor(media_type=pin.media_type, digest=pin.digest, size=0)))
    contents = [
        Contents(
            digest=each.digest,
            platform=platform_of(store, each),
            inventory=read_layers(store, each, open_zstd=open_zstd),
            origin="layers",
        )
        for each in manifests
    ]
    made = ImageContents(
        name=image.name,
        source=image.source_text,
        digest=pin.digest,
        is_index=[each.digest for each in manifests] != [pin.digest],
        contents=contents,
    )
    write_bytes(project.tree / sbom_path(image.name), write_sbom(made, tool_version=VERSION))
    count = len({package.purl for each in contents for package in each.inventory.packages})
    not_read = [text for each in contents for text in each.inventory.not_read]
    project.note(f"sbom:{image.name}", f"{count} packages{', some may be missing' if not_read else ''}")
    for text in not_read[:_SHOWN]:
        project.console.line(f"   warning: {sbom_path(image.name)} is without what was not read: {text}")
    if len(not_read) > _SHOWN:
        project.console.line(f"   warning: {sbom_path(image.name)} lists {len(not_read) - _SHOWN} more of these")
