"""The steps of one image before it is written: pin its tag to a digest, pull."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bundle.errors import LockError
from bundle.formats.sizes import counted, human
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import ImageLocation, RegistryImage
from bundle.oci.platform import Platform, Several, platform_text
from bundle.oci.reference import Reference
from bundle.transfer.fetch import FetchedImage, fetch_image, pin_image, stored_image
from bundle.transfer.image import ReferrerSource, RepackedSource
from bundle.transfer.subset import SubsetSource
from schema.lock import ImagePin
from schema.spec.contents import ImageSpec
from tasks.collect import referrers
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step


def pin_steps(project: Project) -> Iterator[Step]:
    """`pin:<image>`: ask the source which digest the tag means, unless the lock says so already."""
    for image in project.spec.images:
        yield Step(
            base="pin",
            name=image.name,
            doc=f"pin {image.source_text} in {project.lock_path.name}",
            action=partial(_pin, project, image),
            inputs=partial(_pinned, project, image),
            clean=tuple,
        )


def pull_steps(project: Project) -> Iterator[Step]:
    """`pull:<image>`: every blob of the image is in the cache, verified."""
    for image in project.spec.images:
        yield Step(
            base="pull",
            name=image.name,
            doc=f"fetch {image.source_text} into the cache",
            action=partial(_pull, project, image),
            inputs=partial(_pinned, project, image),
            ready=partial(_missing_blobs, project, image),
            after=(f"pin:{image.name}",),
            clean=partial(_cached_files, project, image),
            undo=project.engine_names(f"pull:{image.name}"),
        )


def source_of(project: Project, image: ImageSpec) -> ReferrerSource:
    """The image's source, at its pinned digest where there is one."""
    return _opened(project, image, _pinned_location(project, image))


def _opened(project: Project, image: ImageSpec, location: ImageLocation) -> ReferrerSource:
    """The image there; an index of just these where several platforms are chosen. An Engine has only one."""
    source = project.image_source(image, location, subject=_subject(image))
    if not isinstance(image.platform, Several) or project.pulls_by_engine(location):
        return source
    return SubsetSource(source, image.platform.platforms, subject=_subject(image))


def resolve(project: Project, image: ImageSpec, location: ImageLocation | None = None) -> ImagePin:
    """Ask the source (or `location` instead of it) what the tag means now."""
    source = _opened(project, image, location or image.source)
    found = pin_image(source, image.platform if isinstance(image.platform, Platform) else None, subject=_subject(image))
    subset_of: Digest | None = None
    if isinstance(source, SubsetSource):
        subset_of = source.top.digest if source.top.digest != found.root.digest else None
        found = replace(found, top=source.top, notes=source.notes)
    for note in found.notes:
        project.console.line(f"   warning: {_subject(image)}: {note}")
    return referrers.looked_up(
        project,
        image,
        ImagePin(
            source=image.source_text,
            platform=platform_text(image.platform),
            digest=found.root.digest,
            media_type=found.root.media_type,
            size=found.size,
            upstream=source.upstream if isinstance(source, RepackedSource) else None,
            attestation=found.attestation,
            subset_of=subset_of,
        ),
        found,
        source,
        subject=_subject(image),
    )


def digests_now(project: Project, image: ImageSpec, reference: Reference) -> tuple[Digest, ...]:
    """What the tag means now, asked by us even where a Docker daemon pulls: what it names, then what is taken of it."""
    source: ReferrerSource = project.registries.repository(reference, subject=_subject(image))
    if isinstance(image.platform, Several):
        source = SubsetSource(source, image.platform.platforms, subject=_subject(image))
    found = pin_image(source, image.platform if isinstance(image.platform, Platform) else None, subject=_subject(image))
    return found.top.digest, found.root.digest


def pin_of(project: Project, image: ImageSpec) -> ImagePin | None:
    """The image's pin, when the lock has one that belongs to the spec's present source and platform.

    What a Docker Engine gives has another digest than what a registry does: a pin is good for one of both.
    """
    pin = project.lock.images.get(image.name)
    fits = pin and pin.fits(image) and (pin.upstream is not None) == project.pulls_by_engine(image.source)
    return pin if fits else None


def required_pin(project: Project, image: ImageSpec) -> ImagePin:
    """The image's pin, or the LockError that there is none."""
    pin = pin_of(project, image)
    if not pin:
        raise LockError(f"image {image.name!r} is not pinned", hint=f"doit pin:{image.name}")
    return pin


def stored(project: Project, image: ImageSpec) -> FetchedImage | None:
    """What the cache knows of the pinned image; None when nothing is pinned or a manifest is not there."""
    pin = pin_of(project, image)
    return stored_image(project.store, pin.digest, pin.media_type) if pin else None


def missing(project: Project, image: ImageSpec) -> list[Descriptor] | None:
    """The parts of the pinned image, and of what travels with it, that the cache lacks; None while not known."""
    pin, held = pin_of(project, image), stored(project, image)
    refer = referrers.stored(project, image, pin) if pin and held else None
    if held is None or refer is None:
        return None
    parts = [part for each in (held, *refer) for part in (*each.manifests, *each.blobs)]
    return [part for part in parts if not project.store.holds(part)]


def _subject(image: ImageSpec) -> str:
    """How messages name an image: as the user wrote it."""
    return f"image {image.name!r} ({image.source_text})"


def _pinned_location(project: Project, image: ImageSpec) -> ImageLocation:
    """The source, at the digest that is pinned for it, be it for a Docker Engine or without one."""
    pin = project.lock.images.get(image.name)
    if pin and pin.fits(image) and isinstance(image.source, RegistryImage):
        return RegistryImage(reference=image.source.reference.at(pin.subset_of or pin.upstream or pin.digest))
    return image.source


def _pinned(project: Project, image: ImageSpec) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    told = {"source": pin.source, "platform": pin.platform, "digest": str(pin.digest)}
    return {**told, **referrers.identity(image, pin)}


def _pin(project: Project, image: ImageSpec) -> None:
    pin = pin_of(project, image)
    if not pin:
        pin = resolve(project, image, _pinned_location(project, image))
        project.change_lock(lambda lock: lock.with_image(image.name, pin))
        project.note(f"pin:{image.name}", f"{image.source_text} is {pin.digest} ({human(pin.size)})")
    else:
        project.note(f"pin:{image.name}", f"{image.source_text} already pinned to {pin.digest}")


def _pull(project: Project, image: ImageSpec) -> None:
    project.claim()
    pin = required_pin(project, image)
    lacking = missing(project, image)
    source = source_of(project, image)
    known = referrers.fetch(project, image, pin, source)
    referrers.check(project, image, pin, source, subject=_subject(image))  # before gigabytes of a stranger's come
    fetched = fetch_image(
        source,
        Descriptor(media_type=pin.media_type, digest=pin.digest, size=0),
        project.store,
        subject=image.name,
        meter=project.console,
        transfers=project.transfers,
    )
    if known != pin:
        project.change_lock(lambda lock: lock.with_image(image.name, known))
        referrers.warn(project, image, known)
    blobs = f"{counted(len(fetched.blobs), 'blob')}, {human(fetched.size)}"
    blobs += ", signature checked" if image.cosign_key else ""
    project.note(f"pull:{image.name}", f"{blobs}, already present" if lacking == [] else blobs)


def _missing_blobs(project: Project, image: ImageSpec) -> str:
    lacking = missing(project, image)
    if lacking is None:
        return "its manifest is not in the cache"
    return f"{len(lacking)} of its blobs are not in the cache, or were changed there" if lacking else ""


def _cached_files(project: Project, image: ImageSpec) -> Iterable[Path]:
    held = stored(project, image)
    return [project.store.path(part.digest) for part in (*held.manifests, *held.blobs)] if held else ()
