"""What a delta leaves out, because its base (`since=FILE`) says that the other side has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundle.errors import FormatError
from bundle.formats.sizes import human
from bundle.formats.versions import Version
from bundle.oci.digest import Digest
from schema.spec.contents import ImageSpec
from tasks.collect.images import pin_of, stored
from tasks.collect.save import left_out
from tasks.runtime.project import Project

if TYPE_CHECKING:
    from bundle.metadata.delta import Delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Configs and layers of all images, each once: their number and bytes that the bundle holds, and leaves out.

    `unknown` names images whose content is not known before they are fetched.
    """

    base: str
    held: int
    held_size: int
    left_out: int
    left_out_size: int
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For `doit plan --json`."""
        return {
            "base": self.base,
            "bytes_of_blobs": self.held_size,
            "bytes_left_out": self.left_out_size,
            "blobs_left_out": self.left_out,
            "not_counted": list(self.unknown),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"to carry: {human(self.held_size)} in {self.held} blobs"
        yield f"left out: {human(self.left_out_size)} in {self.left_out} blobs, which {self.base} says are inside"
        if self.unknown:
            yield f"not counted: {', '.join(self.unknown)}, whose blobs are not known before they are fetched"


def stated(project: Project) -> "Delta | None":
    """What manifest.json says of a delta; None for a full bundle."""
    from bundle.metadata.delta import Delta

    if project.base is None:
        return None
    digests = {digest for image in project.spec.images for digest in left_out(project, image)}
    return Delta(base=project.base.named, blobs={digest: project.base.blobs[digest] for digest in digests})


def is_inside(project: Project, image: ImageSpec) -> bool:
    """Whether the other side has the image as it is pinned, and its list of packages with it."""
    pin = pin_of(project, image)
    return project.base is not None and pin is not None and project.base.images.get(image.name) == pin.digest


def carried(project: Project) -> Carried | None:
    """What a delta carries and what not, as far as it is known without asking anybody; None for a full bundle."""
    if project.base is None:
        return None
    held: dict[Digest, int] = {}
    omitted: dict[Digest, int] = {}
    unknown = []
    for image in project.spec.images:
        found, without = stored(project, image), left_out(project, image)
        if found is None:
            unknown.append(image.name)
            continue
        omitted |= without
        held |= {blob.digest: blob.size for blob in found.blobs if blob.digest not in without}
    return Carried(
        base=str(project.base.named),
        held=len(held),
        held_size=sum(held.values()),
        left_out=len(omitted),
        left_out_size=sum(omitted.values()),
        unknown=tuple(unknown),
    )


def goes_back(project: Project) -> bool:
    """Whether the base tells of a later version than this bundle's, as far as both are versions that have an order."""
    try:
        return project.base is not None and Version.parse(project.base.named.version) > Version.parse(
            project.spec.bundle.version
        )
    except FormatError:
        return False


def unchanged(project: Project) -> bool:
    """Whether every image of the bundle is the base's: there is no new layer to carry."""
    return all(is_inside(project, image) for image in project.spec.images)
