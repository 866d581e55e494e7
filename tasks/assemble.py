"""The steps that make the bundle out of its parts: manifest, checksums, the directory in its place, the archive."""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.digest import Digest
from bundle.file_names import MANIFEST, MANIFEST_TEXT, REPORT, REPORT_DATA, RESOLVED_SPEC, ZIPAPP
from bundle.files import inside, place, replace_directory, write_bytes
from bundle.image import Manifest
from bundle.locations import DaemonImage
from bundle.sbom_summary import sbom_path
from bundle.sizes import human
from bundle.sums import SIGNATURE, SUMS, hash_files, parse_sums, write_sums
from schema.carried import carried_files
from schema.lock import FilePin, ImagePin
from schema.spec import ImageSpec
from tasks import carry, charts, delta, files, images, prove, referrers, sbom, zipapp
from tasks.console import LocalWork
from tasks.project import Project, archive_parts, archive_path
from tasks.state import signature
from tasks.step import Inputs, Step
from tasks.version import VERSION

if TYPE_CHECKING:
    from bundle.manifest import ImageEntry

_STATED = (MANIFEST, MANIFEST_TEXT, RESOLVED_SPEC)


def manifest_steps(project: Project) -> Iterator[Step]:
    """`manifest`: what the bundle holds, for programs (manifest.json, airgap.json) and for people (manifest.txt)."""
    yield Step(
        base="manifest",
        doc=f"write {MANIFEST}, {MANIFEST_TEXT} and {RESOLVED_SPEC}",
        action=lambda: _write_manifest(project),
        inputs=lambda: _proven_identity(project),
        outputs=lambda: tuple(project.tree / name for name in _STATED),
        after=("save", "layout", "chart", "file", "prove"),
    )


def zipapp_steps(project: Project) -> Iterator[Step]:
    """`zipapp`: the receiving half of this program, as one file that needs nothing but Python."""
    yield Step(
        base="zipapp",
        doc=f"write {ZIPAPP}, the receiving half of this program",
        action=partial(_write_zipapp, project),
        inputs=lambda: {"version": VERSION, "tree": str(project.tree)},
        outputs=lambda: (project.tree / ZIPAPP,),
        local=zipapp.sources(),
    )


def checksum_steps(project: Project) -> Iterator[Step]:
    """`checksum`: SHA256SUMS over every file of the bundle."""
    yield Step(
        base="checksum",
        doc=f"write {SUMS}",
        action=lambda: _write_sums(project),
        inputs=lambda: identity(project, stated=stated(project, *_reports(project))),
        outputs=lambda: (project.tree / SUMS,),
        follows=("manifest", "zipapp", "carry", "sbom", "describe"),
    )


def directory_steps(project: Project) -> Iterator[Step]:
    """`directory`: the finished bundle takes its place in one step; until then the last good one stays."""
    yield Step(
        base="directory",
        doc="put the finished bundle in its place",
        action=lambda: _publish(project),
        inputs=lambda: identity(project, at=str(project.directory), **_seal(project)),
        outputs=lambda: published_files(project.directory),
        follows=("checksum", "sign"),
        clean=lambda: published_files(project.directory),
    )


def pack_steps(project: Project) -> Iterator[Step]:
    """`pack`: the bundle as one archive, or as parts of a given size."""
    spec = project.spec.bundle
    if not spec.archive:
        return
    yield Step(
        base="pack",
        doc=f"write {archive_path(project).name}" + (f" in parts of {human(spec.split)}" if spec.split else ""),
        action=lambda: _pack(project),
        inputs=lambda: identity(project, at=str(archive_path(project)), split=spec.split or 0, **_seal(project)),
        outputs=lambda: archive_files(project),
        follows=("directory",),
    )


def archive_files(project: Project) -> Sequence[Path]:
    """The list of checksums, and the archive or parts that it lists."""
    from bundle.split import sums_path

    return (sums_path(archive_path(project)), *archive_parts(project))


def published_files(directory: Path) -> Sequence[Path]:
    """Every file of a finished bundle directory; only its (missing) SHA256SUMS when there is none."""
    signed = [directory / SIGNATURE] if (directory / SIGNATURE).is_file() else []
    return (directory / SUMS, *signed, *(inside(directory, name) for name in _listed(directory)))


def _listed(directory: Path) -> Mapping[str, Digest]:
    path = directory / SUMS
    return parse_sums(path.read_bytes(), str(path)) if path.is_file() else {}


def identity(project: Project, **more: Any) -> Inputs | None:
    """What the bundle's content follows from: the spec, the pins, the date when it is given, this program."""
    spec = project.spec
    pins: dict[str, dict[str, Any]] = {
        "images": {image.name: _image(project, image) for image in spec.images},
        "charts": {chart.name: charts.identity(project, chart) for chart in spec.charts},
        "files": {file.name: _sha256(files.file_pin(project, file)) for file in spec.files},
    }
    if any(None in kind.values() for kind in pins.values()):
        return None
    digest = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode()).hexdigest()
    since = {"since": str(project.base.fingerprint)} if project.base else {}
    fixed = {"spec": digest, **pins, "created": project.created, "version": VERSION, "tree": str(project.tree)}
    return {**fixed, **since, **more}


def _proven_identity(project: Project) -> Inputs | None:
    proof = prove.results(project)
    return None if proof is None else identity(project, proof=[entry.to_dict() for entry in proof])


def stated(project: Project, *more: str) -> dict[str, Any]:
    """The state of the small files that the checksums cover and that no pin tells of, and of others by their names."""
    names = (MANIFEST, ZIPAPP, *carried_files(project.spec), *sbom.files(project), *more)
    return {name: _stamp(project.tree / name) for name in names}


def _seal(project: Project) -> dict[str, Any]:
    """What is checked first on the far side: the list of checksums, and its signature where there is one."""
    return {name: _stamp(project.tree / name) for name in _sealing(project)}


def _sealing(project: Project) -> tuple[str, ...]:
    return (SUMS, SIGNATURE) if project.spec.bundle.sign else (SUMS,)


def _image(project: Project, image: ImageSpec) -> Inputs | None:
    pin = images.pin_of(project, image)
    return {"digest": str(pin.digest), **referrers.identity(image, pin)} if pin else None


def _sha256(pin: FilePin | None) -> str | None:
    return str(pin.sha256) if pin else None


def known_digests(project: Project) -> dict[str, Digest]:
    """What SHA256SUMS will say of all files but the report.

    The parts' digests are known from when they were written; only the small files are read.
    """
    kinds = (images, charts, files, carry, sbom)
    digests = {name: digest for kind in kinds for name, digest in kind.digests(project).items()}
    return digests | hash_files(project.tree, (*_STATED, ZIPAPP, *images.index_files(project)))


def _reports(project: Project) -> Sequence[str]:
    return (REPORT, REPORT_DATA) if project.spec.bundle.report else ()


def _stamp(path: Path) -> list[int] | None:
    try:
        return signature(path.stat())
    except OSError:
        return None


def _write_manifest(project: Project) -> None:
    from bundle.manifest import BundleManifest, DerivedEntry
    from bundle.manifest_text import manifest_text

    project.claim()
    epoch = project.created
    spec = project.spec
    manifest = BundleManifest(
        name=spec.bundle.name,
        version=spec.bundle.version,
        created=datetime.now(UTC).replace(microsecond=0) if epoch is None else datetime.fromtimestamp(epoch, UTC),
        tool=VERSION,
        layout=spec.bundle.layout,
        platform=spec.bundle.platform,
        images=tuple(_image_entry(project, image) for image in spec.images),
        charts=tuple(charts.chart_entry(project, chart) for chart in spec.charts),
        files=tuple(files.file_entry(project, file) for file in spec.files),
        registries=tuple(sorted({target.repository for target in spec.targets})),
        archive=spec.bundle.archive,
        split=spec.bundle.split,
        proof=prove.results(project) or (),
        delta=delta.stated(project),
        derived=tuple(
            DerivedEntry(name=image.name, base=image.base, add_ca=image.add_ca, reference=image.target)
            for image in spec.derived
        ),
        signed=spec.bundle.sign is not None,
    )
    resolved = json.dumps(spec.to_dict(), indent=2, sort_keys=True) + "\n"
    write_bytes(project.tree / RESOLVED_SPEC, resolved.encode())
    write_bytes(project.tree / MANIFEST_TEXT, manifest_text(manifest).encode())
    write_bytes(project.tree / MANIFEST, manifest.encode())
    project.note("manifest", f"{MANIFEST}, {MANIFEST_TEXT}, {RESOLVED_SPEC}")


def _write_zipapp(project: Project) -> None:
    project.claim()
    data = zipapp.build(small=project.base is not None)
    write_bytes(project.tree / ZIPAPP, data, mode=0o755)
    project.note("zipapp", f"{ZIPAPP}, {human(len(data))}")


def _image_entry(project: Project, image: ImageSpec) -> "ImageEntry":
    from bundle.manifest import ImageEntry

    pin = images.required_pin(project, image)
    held = images.stored(project, image)
    return ImageEntry(
        name=image.name,
        source=image.source_text,
        reference=image.target,
        digest=pin.digest,
        media_type=pin.media_type,
        size=held.size if held else pin.size,
        platform=image.platform,
        file=images.image_archive(image.name) if project.spec.bundle.layout == "docker-archive" else "",
        blobs={blob.digest: blob.size for blob in held.blobs} if held else {},
        sbom=sbom_path(image.name) if image in sbom.listed(project) else "",
        attachments=referrers.attached(project, image, pin),
        cosign_key=referrers.key_digest(image),
        upstream=pin.upstream,
        config=_config(project, pin) if pin.upstream or isinstance(image.source, DaemonImage) else None,
    )


def _config(project: Project, pin: ImagePin) -> Digest | None:
    """The digest of the config of a single image that is in the cache."""
    raw = project.store.get(pin.digest)
    return Manifest.parse(raw, media_type=pin.media_type).config.digest if raw else None


def _write_sums(project: Project) -> None:
    project.claim()
    digests = known_digests(project) | hash_files(project.tree, _reports(project))
    write_sums(project.tree / SUMS, digests)
    project.note("checksum", f"{len(digests)} files")


def _publish(project: Project) -> None:
    """Make the directory anew out of links to the growing bundle, then swap it in."""
    project.claim()
    new = project.work / "new"
    shutil.rmtree(new, ignore_errors=True)
    for name in (*_sealing(project), *_listed(project.tree)):
        place(inside(project.tree, name), inside(new, name))
    replace_directory(new, project.directory)
    _prune(project.tree, {*_sealing(project), *_listed(project.tree)})
    project.note("directory", str(project.directory))


def _prune(tree: Path, wanted: Collection[str]) -> None:
    """Remove from the growing bundle what the finished one does not hold: images and files of earlier specs."""
    for path in tree.rglob("*"):
        if path.is_file() and path.relative_to(tree).as_posix() not in wanted:
            path.unlink(missing_ok=True)


def _pack(project: Project) -> None:
    from bundle import archive
    from bundle.manifest import BundleManifest

    project.claim()
    manifest = BundleManifest.decode((project.directory / MANIFEST).read_bytes())
    packed = archive.pack(
        project.directory,
        archive_path(project),
        epoch=int(manifest.created.timestamp()),
        split=project.spec.bundle.split,
        meter=LocalWork(project.console),
    )
    parts = f" in {len(packed.parts)} parts" if len(packed.parts) > 1 else ""
    project.note("pack", f"{packed.parts[0]}, {human(packed.size)}{parts}")
