"""Who tells what is in an image: an SBOM that came with it, else syft where it is installed, else its layers."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from bundle.errors import AirgapError
from bundle.images.layout import LayoutImage, place_image, write_index
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.sbom.documents import from_cyclonedx, read_attested
from bundle.sbom.image_contents import Contents, ImageContents, attesting, images_of, platform_of, read_layers
from bundle.sbom.inventory import Inventory, SharedLayers
from bundle.transfer.fetch import fetch_image
from bundle.transfer.image import Manifest
from bundle.transfer.referrers import list_tag
from clients.programs import syft as syft_client
from clients.sbom.zstd import open_zstd
from schema.lock import ImagePin
from schema.spec.contents import ImageSpec
from tasks.collect.images import required_pin
from tasks.runtime.project import Project


def look_inside(project: Project, image: ImageSpec, *, syft: Path | None) -> ImageContents:
    """The packages of a pulled image, by each of its manifests. What could not be read is said in the result."""
    pin = required_pin(project, image)
    root = Descriptor(media_type=pin.media_type, digest=pin.digest, size=0)
    manifests = list(images_of(project.store, root))
    attached = _attached(project, image, pin)
    return ImageContents(
        name=image.name,
        source=image.source_text,
        digest=pin.digest,
        is_index=[each.digest for each in manifests] != [pin.digest],
        contents=[_contents(project, image, each, attached, syft) for each in manifests],
    )


def _contents(
    project: Project, image: ImageSpec, manifest: Manifest, attached: Sequence[tuple[str, Manifest]], syft: Path | None
) -> Contents:
    store, pin = project.store, required_pin(project, image)
    root = Descriptor(media_type=pin.media_type, digest=pin.digest, size=0)
    own = [each for tag, each in attached if not tag or tag.partition(".")[0] == list_tag(manifest.digest)]
    subjects = {manifest.digest, pin.digest, *((pin.upstream,) if pin.upstream else ())}
    told = read_attested(store, [*attesting(store, root, manifest.digest), *own], subjects)
    platform = platform_of(store, manifest)
    if told.inventory:
        inventory = replace(told.inventory, not_read=(*told.inventory.not_read, *told.refused))
        return Contents(
            digest=manifest.digest, platform=platform, inventory=inventory, origin="attestation", document=told.document
        )
    scanned, trouble = _scanned(project, image, manifest, syft) if syft and platform else (None, "")
    if scanned:
        inventory = replace(scanned, not_read=told.refused)
        return Contents(digest=manifest.digest, platform=platform, inventory=inventory, origin="syft")
    if trouble:
        project.console.line(f"   warning: {trouble}; its layers are read instead")
    inventory = read_layers(store, manifest, open_zstd=open_zstd, shared=_shared_layers(project))
    inventory = replace(inventory, not_read=(*inventory.not_read, *told.refused))
    return Contents(digest=manifest.digest, platform=platform, inventory=inventory, origin="layers")


@cache
def _shared_layers(project: Project) -> SharedLayers:
    """What the images of this run have in common."""
    return SharedLayers()


def _attached(project: Project, image: ImageSpec, pin: ImagePin) -> tuple[tuple[str, Manifest], ...]:
    """What came with the image besides its own index: each with the tag that says what it refers to ("": the image)."""
    found = []
    for each in pin.referrers:
        raw = project.store.get(each.digest)
        if raw:
            found.append((each.tag, Manifest.parse(raw, media_type=each.media_type, digest=each.digest)))
    if pin.attestation:
        root = Descriptor(media_type=media_types.OCI_MANIFEST, digest=pin.attestation, size=0)
        if project.store.get(pin.attestation) is None:
            source = project.image_source(image, image.source, subject=f"the attestation of image {image.name!r}")
            fetch_image(
                source, root, project.store, subject=image.name, meter=project.console, transfers=project.transfers
            )
        found.append(("", Manifest.parse(project.store.get(pin.attestation) or b"", digest=pin.attestation)))
    return tuple(found)


def _scanned(project: Project, image: ImageSpec, manifest: Manifest, syft: Path) -> tuple[Inventory | None, str]:
    """What syft says of one manifest, or what went wrong."""
    layout = project.work / "syft" / f"{image.name}-{manifest.digest.hex}"
    one = LayoutImage(name=image.name, reference=image.target, root=manifest.descriptor)
    try:
        place_image(layout, one, project.store)
        write_index(layout, [one])
        return from_cyclonedx(syft_client.scan(syft, layout, subject=f"sbom:{image.name}")), ""
    except AirgapError as err:
        return None, err.what
    finally:
        shutil.rmtree(layout, ignore_errors=True)
