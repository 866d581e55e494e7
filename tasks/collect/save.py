"""The images' place in the bundle: their internal names, their blobs, and the index over all of them."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.errors import LockError
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.images import layout
from bundle.images.docker_archive import ImageArchive
from bundle.images.layout import LayoutImage
from bundle.images.platform_archives import archives
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import hash_file
from bundle.storage.files import inside, write_bytes
from bundle.storage.marks import mark
from schema.spec.contents import ImageSpec
from tasks.collect import referrers
from tasks.collect.images import pin_of, required_pin, stored
from tasks.runtime.project import Project
from tasks.runtime.step import Inputs, Step

if TYPE_CHECKING:
    from bundle.archive.archive import Elsewhere

_ANY = Digest.of(b"")


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
    doing = f"write it to {where}" if project.spec.bundle.directory else f"say what {where} of the archive will be"
    for image in project.spec.images:
        yield Step(
            base="save",
            name=image.name,
            doc=doing.format(image.name),
            action=partial(_save, project, image),
            inputs=partial(_named, project, image, **_form(project), **_since(project)),
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


def left_out(project: Project, image: ImageSpec) -> dict[Digest, int]:
    """The layers of the pinned image that the base has, with their sizes. Configs always travel: they are small."""
    base = project.base
    held = stored(project, image) if base else None
    return {blob.digest: blob.size for blob in held.layers if blob.digest in base.blobs} if base and held else {}


def digests(project: Project) -> dict[str, Digest]:
    """The sha256 of every file that `save` made, by its path in the bundle."""
    records = (item for image in project.spec.images for item in read_record(record_path(project, image.name)))
    return {item["path"]: Digest(algorithm="sha256", hex=item["sha256"]) for item in records}


def from_cache(project: Project) -> "Elsewhere":
    """What an archive that has no directory beside it takes from the cache, by its path in the bundle."""
    from bundle.archive.archive import MadeImage

    found: dict[str, Path | MadeImage] = {}
    for image in project.spec.images:
        for item in read_record(record_path(project, image.name)):
            if project.spec.bundle.layout == "docker-archive":
                archive = next(made for path, made in _archives(project, image) if path == item["path"])
                found[item["path"]] = MadeImage(archive=archive, size=item["size"])
            else:
                _, _, algorithm, name = item["path"].split("/")
                found[item["path"]] = project.store.path(Digest(algorithm=algorithm, hex=name))
    return found


def index_files(project: Project) -> tuple[str, ...]:
    """The files that `layout` makes, by their paths in the bundle; none in layout docker-archive."""
    if project.spec.bundle.layout != "oci":
        return ()
    return tuple(f"images/{name}" for name in (layout.INDEX, layout.OCI_LAYOUT, layout.DOCKER_MANIFEST))


def saved_files(project: Project, name: str) -> tuple[Path, ...]:
    """The files that `save` made for an image, its own record first. An archive without a directory needs no more."""
    path = record_path(project, name)
    if not project.spec.bundle.directory:
        return (path,)
    return (path, *(inside(project.tree, item["path"]) for item in read_record(path)))


def record_path(project: Project, name: str) -> Path:
    """Where `save` notes its files with their digests."""
    return project.work / "saved" / f"{name}.json"


def read_record(path: Path) -> list[dict[str, Any]]:
    """The noted files: path, sha256, size."""
    try:
        data = strict_json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    return data if isinstance(data, list) else []


def _named(project: Project, image: ImageSpec, **more: Any) -> Inputs | None:
    pin = pin_of(project, image)
    if not pin:
        return None
    told = {"digest": str(pin.digest), "name": str(image.target), "at": str(project.tree)}
    return {**told, "attached": image.referrers, **referrers.identity(image, pin), **more}


def _form(project: Project) -> dict[str, Any]:
    bundle = project.spec.bundle
    return {"layout": bundle.layout, "written": bundle.directory, "bordered": bundle.layout == "docker-archive"}


def _since(project: Project) -> dict[str, str]:
    return {"since": str(project.base.fingerprint)} if project.base else {}


def _all_named(project: Project) -> Inputs | None:
    named = {image.name: _named(project, image) for image in project.spec.images}
    return {"images": named} if None not in named.values() else None


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
    write_bytes(_tag_path(project, image), json.dumps(record, indent=1, sort_keys=True).encode(), mode=0o600)
    project.note(f"tag:{image.name}", str(image.target))


def _tag_files(project: Project, image: ImageSpec) -> tuple[Path]:
    return (_tag_path(project, image),)


def _tagged(project: Project, image: ImageSpec) -> LayoutImage:
    """The image as `tag` named it."""
    record = strict_json.loads(_tag_path(project, image).read_bytes())
    root = Descriptor.from_dict(record["root"])
    attached = {tag: Descriptor.from_dict(each) for tag, each in record["attached"].items()}
    return LayoutImage(name=image.name, reference=Reference.parse(record["name"]), root=root, attached=attached)


def _save(project: Project, image: ImageSpec) -> None:
    project.claim()
    without = left_out(project, image)
    as_archive = project.spec.bundle.layout == "docker-archive"
    files = _image_archives(project, image) if as_archive else _blobs(project, image)
    write_bytes(record_path(project, image.name), json.dumps(files, indent=1).encode(), mode=0o600)
    told = ", ".join(str(each["path"]) for each in files) if as_archive else f"{len(files)} files in images/blobs"
    project.note(f"save:{image.name}", f"{told}, {len(without)} layers left out" if without else told)


def _archives(project: Project, image: ImageSpec) -> Iterator[tuple[str, ImageArchive]]:
    """The image's archives by their paths in the bundle: one, or one for each platform."""
    made = archives(_tagged(project, image), project.store, without=left_out(project, image))
    return ((image_archive(image.name, platform), each) for platform, each in made.items())


def _image_archives(project: Project, image: ImageSpec) -> list[dict[str, Any]]:
    """The image as archives of its own: on the disk, or only their digests and sizes, until the bundle's is written."""
    found = []
    for relative, made in _archives(project, image):
        path = project.tree / relative
        written = made.put(path) if project.spec.bundle.directory else made.measure()
        if project.spec.bundle.directory:
            mark(path, written.digest)
        found.append({"path": relative, "sha256": written.digest.hex, "size": written.size})
    return found


def _blobs(project: Project, image: ImageSpec) -> list[dict[str, Any]]:
    """The image's blobs, placed in the growing bundle, or left in the cache for the archive.

    Only what is linked into a bundle has to be on the disk (`place_image`): an archive has its own bytes.
    """
    tagged, without = _tagged(project, image), left_out(project, image)
    if project.spec.bundle.directory:
        blobs = layout.place_image(project.images, tagged, project.store, without=without)
    else:
        blobs = layout.stored_content(tagged, project.store, without=without)
    return [_recorded(project, blob) for blob in blobs]


def _recorded(project: Project, blob: Descriptor) -> dict[str, Any]:
    """The record of a blob; only one that is named by another hash than sha256 has to be read for its sum."""
    hashed = blob.digest.hex if blob.digest.algorithm == "sha256" else hash_file(project.store.path(blob.digest), _ANY)
    return {"path": f"images/{layout.blob_name(blob.digest)}", "sha256": hashed, "size": blob.size}


def _write_index(project: Project) -> None:
    project.claim()
    store = None if project.spec.bundle.directory else project.store
    layout.write_index(project.images, [_tagged(project, image) for image in project.spec.images], store)
    project.note("layout", f"index of {counted(len(project.spec.images), 'image')}")


def image_archive(name: str, platform: Platform | None = None) -> str:
    """Where an image's own archive lies in the bundle (layout docker-archive), or that of a further platform."""
    return f"images/{str(platform).replace('/', '-')}/{name}.tar" if platform else f"images/{name}.tar"


def further_archives(project: Project, image: ImageSpec) -> dict[Platform, str]:
    """The archives of an image's further platforms."""
    made = archives(_tagged(project, image), project.store)
    return {platform: image_archive(image.name, platform) for platform in made if platform}
