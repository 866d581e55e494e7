"""The steps of one image: pin its tag to a digest, pull, tag with the internal name, save."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bundle import docker_archive, layout
from bundle.descriptor import Descriptor
from bundle.digest import Digest
from bundle.errors import LockError
from bundle.fetch import FetchedImage, fetch_image, pin_image, stored_image
from bundle.files import inside, write_bytes
from bundle.image import RepackedSource
from bundle.layout import LayoutImage
from bundle.locations import ImageLocation, RegistryImage
from bundle.reference import Reference
from bundle.referrers import ReferrerSource
from bundle.sizes import counted, human
from bundle.sums import hash_files
from schema.lock import ImagePin
from schema.spec import ImageSpec, platform_text
from tasks import referrers
from tasks.project import Project
from tasks.step import Inputs, Step


def pin_steps(project: Project) -> Iterator[Step]:
    """`pin:<image>`: ask the source which digest the tag means, unless airgap.lock says so already."""
    for image in project.spec.images:
        yield Step(
            base="pin",
            name=image.name,
            doc=f"pin {image.source_text} in airgap.lock",
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


def tag_steps(project: Project) -> Iterator[Step]:
    """`tag:<image>`: the image has its internal name, as an entry of the bundle's index."""
    for image in project.spec.images:
        yield Step(
            base="tag",
            name=image.name,
            doc=f"name it {image.target}",
            action=partial(_tag, project, image),
            inputs=partial(_named, project, image),
            outputs=partial(_tag_files, project, image),
            after=(f"pull:{image.name}",),
        )


def save_steps(project: Project) -> Iterator[Step]:
    """`save:<image>`: the image is in the growing bundle."""
    as_archive = project.spec.bundle.layout == "docker-archive"
    where = "images/{}.tar" if as_archive else "images/blobs/"
    for image in project.spec.images:
        yield Step(
            base="save",
            name=image.name,
            doc=f"write it to {where.format(image.name)}",
            action=partial(_save, project, image),
            inputs=partial(_named, project, image, layout=project.spec.bundle.layout, **_since(project)),
            outputs=partial(saved_files, project, image.name),
            after=(f"tag:{image.name}",),
        )


def layout_steps(project: Project) -> Iterator[Step]:
    """`layout`: the index of the one OCI layout (absent in layout docker-archive, whose tars carry their own)."""
    if project.spec.bundle.layout != "oci":
        return
    names = [image.name for image in project.spec.images]
    yield Step(
        base="layout",
        doc="write images/index.json and Docker's images/manifest.json",
        action=lambda: _write_index(project),
        inputs=lambda: _all_named(project),
        outputs=lambda: [project.tree / name for name in index_files(project)],
        after=[f"{base}:{name}" for name in names for base in ("tag", "save")],
    )


def source_of(project: Project, image: ImageSpec) -> ReferrerSource:
    """The image's source, at its pinned digest where there is one."""
    return project.image_source(image, _pinned_location(project, image), subject=_subject(image))


def resolve(project: Project, image: ImageSpec, location: ImageLocation | None = None) -> ImagePin:
    """Ask the source (or `location` instead of it) what the tag means now."""
    source = project.image_source(image, location or image.source, subject=_subject(image))
    found = pin_image(source, image.platform, subject=_subject(image))
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
        ),
        found,
        source,
        subject=_subject(image),
    )


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


def left_out(project: Project, image: ImageSpec) -> dict[Digest, int]:
    """The layers of the pinned image that the base has, with their sizes. Configs always travel: they are small."""
    base = project.base
    held = stored(project, image) if base else None
    return {blob.digest: blob.size for blob in held.layers if blob.digest in base.blobs} if base and held else {}


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every file that `save` made, by its path in the bundle."""
    records = (item for image in project.spec.images for item in read_record(record_path(project, image.name)))
    return {item["path"]: Digest(algorithm="sha256", hex=item["sha256"]) for item in records}


def index_files(project: Project) -> tuple[str, ...]:
    """The files that `layout` makes, by their paths in the bundle; none in layout docker-archive."""
    if project.spec.bundle.layout != "oci":
        return ()
    return tuple(f"images/{name}" for name in (layout.INDEX, layout.OCI_LAYOUT, layout.DOCKER_MANIFEST))


def saved_files(project: Project, name: str) -> tuple[Path, ...]:
    """The files that `save` made for an image, its own record first."""
    path = record_path(project, name)
    return (path, *(inside(project.tree, item["path"]) for item in read_record(path)))


def record_path(project: Project, name: str) -> Path:
    """Where `save` notes its files with their digests."""
    return project.work / "saved" / f"{name}.json"


def read_record(path: Path) -> list[dict[str, Any]]:
    """The noted files: path, sha256, size."""
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    return data if isinstance(data, list) else []


def _subject(image: ImageSpec) -> str:
    """How messages name an image: as the user wrote it."""
    return f"image {image.name!r} ({image.source_text})"


def _pinned_location(project: Project, image: ImageSpec) -> ImageLocation:
    """The source, at the digest that is pinned for it, be it for a Docker Engine or without one."""
    pin = project.lock.images.get(image.name)
    if pin and pin.fits(image) and isinstance(image.source, RegistryImage):
        return RegistryImage(reference=image.source.reference.at(pin.upstream or pin.digest))
    return image.source


def _pinned(project: Project, image: ImageSpec) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    told = {"source": pin.source, "platform": pin.platform, "digest": str(pin.digest)}
    return {**told, **referrers.identity(image, pin)}


def _named(project: Project, image: ImageSpec, **more: Any) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    told = {"digest": str(pin.digest), "name": str(image.target), "at": str(project.tree)}
    return {**told, "attached": image.referrers, **referrers.identity(image, pin), **more}


def _since(project: Project) -> dict[str, str]:
    return {"since": str(project.base.fingerprint)} if project.base else {}


def _all_named(project: Project) -> Inputs | None:
    named = {image.name: _named(project, image) for image in project.spec.images}
    return {"images": named} if None not in named.values() else None


def _pin(project: Project, image: ImageSpec) -> None:
    pin = pin_of(project, image)
    if not pin:
        pin = resolve(project, image, _pinned_location(project, image))
        project.change_lock(lambda lock: lock.with_image(image.name, pin))
        project.note(f"pin:{image.name}", f"{image.source_text} is {pin.digest} ({human(pin.size)})")
    else:
        project.note(f"pin:{image.name}", f"{image.source_text} stays {pin.digest}")


def _pull(project: Project, image: ImageSpec) -> None:
    project.claim()
    pin = required_pin(project, image)
    lacking = missing(project, image)
    source = source_of(project, image)
    referrers.fetch(project, image, pin, source)
    referrers.check(project, image, pin, source, subject=_subject(image))  # before gigabytes of a stranger's come
    fetched = fetch_image(
        source,
        Descriptor(media_type=pin.media_type, digest=pin.digest, size=0),
        project.store,
        subject=image.name,
        meter=project.console,
        transfers=project.transfers,
    )
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


def _tag_path(project: Project, image: ImageSpec) -> Path:
    return project.work / "tags" / f"{image.name}.json"


def _tag(project: Project, image: ImageSpec) -> None:
    project.claim()
    held = stored(project, image)
    if held is None:
        raise LockError(f"image {image.name!r} is not in the cache", hint=f"doit pull:{image.name}")
    attached = referrers.roots(project, image, required_pin(project, image))
    record = {
        "name": str(image.target),
        "root": held.root.to_dict(),
        "attached": {tag: root.to_dict() for tag, root in attached.items()},
    }
    write_bytes(_tag_path(project, image), json.dumps(record, indent=1, sort_keys=True).encode())
    project.note(f"tag:{image.name}", str(image.target))


def _tag_files(project: Project, image: ImageSpec) -> tuple[Path]:
    return (_tag_path(project, image),)


def _tagged(project: Project, image: ImageSpec) -> LayoutImage:
    """The image as `tag` named it."""
    record = json.loads(_tag_path(project, image).read_bytes())
    root = Descriptor.from_dict(record["root"])
    attached = {tag: Descriptor.from_dict(each) for tag, each in record["attached"].items()}
    return LayoutImage(name=image.name, reference=Reference.parse(record["name"]), root=root, attached=attached)


def _save(project: Project, image: ImageSpec) -> None:
    project.claim()
    tagged, without = _tagged(project, image), left_out(project, image)
    if project.spec.bundle.layout == "docker-archive":
        relative = image_archive(image.name)
        written = docker_archive.write_image(project.tree / relative, tagged, project.store, epoch=0, without=without)
        files = [{"path": relative, "sha256": written.digest.hex, "size": written.size}]
    else:
        parts = layout.place_image(project.images, tagged, project.store, without=without)
        for part in parts:
            project.store.settle(part)  # what is linked into a bundle is on the disk
        files = [_placed(project, part) for part in parts]
    write_bytes(record_path(project, image.name), json.dumps(files, indent=1).encode())
    told = str(files[0]["path"]) if len(files) == 1 else f"{len(files)} files in images/blobs"
    project.note(f"save:{image.name}", f"{told}, {len(without)} layers left out" if without else told)


def _placed(project: Project, part: Descriptor) -> dict[str, Any]:
    """The record of a blob; only one that is named by another hash than sha256 has to be read for its sum."""
    relative = f"images/{layout.blob_name(part.digest)}"
    digest = part.digest if part.digest.algorithm == "sha256" else hash_files(project.tree, [relative])[relative]
    return {"path": relative, "sha256": digest.hex, "size": part.size}


def _write_index(project: Project) -> None:
    project.claim()
    layout.write_index(project.images, [_tagged(project, image) for image in project.spec.images])
    project.note("layout", f"index of {counted(len(project.spec.images), 'image')}")


def image_archive(name: str) -> str:
    """Where an image's own archive lies in the bundle (layout docker-archive)."""
    return f"images/{name}.tar"
