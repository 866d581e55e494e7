"""What the bundle holds, stated for programs and for people, and what its content follows from."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundle.formats import strict_json
from bundle.metadata.names import MANIFEST, MANIFEST_TEXT, RESOLVED_SPEC, SITE_EXAMPLE, SITE_SCHEMA, ZIPAPP
from bundle.oci.digest import Digest
from bundle.oci.locations import DaemonImage
from bundle.sbom.summary import sbom_path
from bundle.storage.files import write_bytes
from bundle.transfer.image import Manifest
from schema.lock import FilePin, ImagePin
from schema.spec.carried import carried_files
from schema.spec.contents import ImageSpec
from tasks.assemble import packages
from tasks.assemble.zipapp import THEIR_PACKAGES
from tasks.collect import charts, delta, files, images, referrers, save, sbom
from tasks.proof import prove
from tasks.runtime.project import Project
from tasks.runtime.state import signature
from tasks.runtime.step import Inputs, Step
from tasks.runtime.version import VERSION

if TYPE_CHECKING:
    from bundle.metadata.manifest import ImageEntry

_STATED = (MANIFEST, MANIFEST_TEXT, RESOLVED_SPEC, SITE_EXAMPLE, SITE_SCHEMA)


def manifest_steps(project: Project) -> Iterator[Step]:
    """`manifest`: what the bundle holds, for programs (manifest.json, airgap.json) and for people (manifest.txt)."""
    yield Step(
        base="manifest",
        doc=f"write {MANIFEST}, {MANIFEST_TEXT} and {RESOLVED_SPEC}",
        action=lambda: _write_manifest(project),
        inputs=lambda: _proven_identity(project),
        outputs=lambda: tuple(project.tree / name for name in _STATED),
        after=("save", "layout", "chart", "file", "prove"),
        follows=("zipapp",),
    )


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
    program = _stamp(project.tree / ZIPAPP)
    return None if proof is None else identity(project, proof=[entry.to_dict() for entry in proof], program=program)


def stated(project: Project, *more: str) -> dict[str, Any]:
    """The state of the small files that the checksums cover and that no pin tells of, and of others by their names."""
    names = (MANIFEST, ZIPAPP, *carried_files(project.spec), *sbom.files(project), *more)
    return {name: _stamp(project.tree / name) for name in names}


def _image(project: Project, image: ImageSpec) -> Inputs | None:
    pin = images.pin_of(project, image)
    return {"digest": str(pin.digest), **referrers.identity(image, pin)} if pin else None


def _sha256(pin: FilePin | None) -> str | None:
    return str(pin.sha256) if pin else None


def _stamp(path: Path) -> list[int] | None:
    try:
        return signature(path.stat())
    except OSError:
        return None


def _write_manifest(project: Project) -> None:
    from bundle.metadata.manifest import BundleManifest, DerivedEntry
    from bundle.report.manifest_text import manifest_text
    from schema.loading.values import read_all
    from schema.site.example import example
    from schema.site.settings import Settings

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
        carries=packages.installed(THEIR_PACKAGES.values()),
    )
    carried = replace(spec, bundle=replace(spec.bundle, directory=True))  # what stays here is no matter of the bundle's
    resolved = strict_json.readable(carried.to_dict(), escaped=True)
    write_bytes(project.tree / RESOLVED_SPEC, resolved)
    settings = Settings.of_spec(spec, read_all(spec).values())
    write_bytes(project.tree / SITE_EXAMPLE, example(settings, prefix=spec.registry.prefix).encode())
    write_bytes(project.tree / SITE_SCHEMA, strict_json.readable(settings.schema(), escaped=True))
    write_bytes(project.tree / MANIFEST_TEXT, manifest_text(manifest).encode())
    write_bytes(project.tree / MANIFEST, manifest.encode())
    project.note("manifest", f"{MANIFEST}, {MANIFEST_TEXT}, {RESOLVED_SPEC}")


def _image_entry(project: Project, image: ImageSpec) -> "ImageEntry":
    from bundle.metadata.manifest import ImageEntry

    pin = images.required_pin(project, image)
    held = images.stored(project, image)
    as_archive = project.spec.bundle.layout == "docker-archive"
    return ImageEntry(
        name=image.name,
        source=image.source_text,
        reference=image.target,
        digest=pin.digest,
        media_type=pin.media_type,
        size=held.size if held else pin.size,
        platform=image.platform,
        file=save.image_archive(image.name) if as_archive else "",
        archives=save.further_archives(project, image) if as_archive else {},
        blobs={blob.digest: blob.size for blob in held.blobs} if held else {},
        sbom=sbom_path(image.name) if image in sbom.listed(project) else "",
        attachments=referrers.attached(project, image, pin),
        unknown_referrers=pin.unknown_referrers if image.referrers else "",
        cosign_key=referrers.key_digest(image),
        upstream=pin.upstream,
        config=_config(project, pin) if pin.upstream or isinstance(image.source, DaemonImage) else None,
    )


def _config(project: Project, pin: ImagePin) -> Digest | None:
    """The digest of the config of a single image that is in the cache."""
    raw = project.store.get(pin.digest)
    return Manifest.parse(raw, media_type=pin.media_type).config.digest if raw else None
