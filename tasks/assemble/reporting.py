"""What a report is made of: the bundle itself, what is known of it by now, and an earlier one to compare with."""

from collections.abc import Mapping
from pathlib import Path

from bundle.archive.reader import OpenedBundle, open_bundle
from bundle.errors import AirgapError, FormatError, SourceError, storage_errors
from bundle.formats import strict_json
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.names import INSTALL, MANIFEST, RESOLVED_SPEC
from bundle.report.changes import changes
from bundle.report.model import Medium, Report, Result, check_commands, proof_result
from bundle.report.snapshot import Snapshot
from bundle.sbom.summary import SbomSummary
from schema.values.flat import flat_values

_PAPERS = 64 * 1024 * 1024  # bytes of a manifest.json, report.json or receipt.json


def compose(
    bundle: OpenedBundle,
    *,
    results: Mapping[str, Result],
    media: tuple[Medium, ...] = (),
    since: Snapshot | None = None,
) -> Report:
    """The report on a bundle. Reads its small files only; errors of a damaged one come through."""
    packages = _packages(bundle)
    compared = None
    if since:
        now = Snapshot.of_manifest(bundle.manifest, "this bundle", packages=packages, values=_values(bundle))
        compared = changes(since, now)
    return Report(
        manifest=bundle.manifest,
        packages=packages,
        install={name: bundle.digest(name) for name in bundle.names() if name.startswith(f"{INSTALL}/")},
        media=media,
        results=results,
        changes=compared,
        commands=tuple(check_commands(bundle.manifest)),
    )


def unfinished(manifest: BundleManifest) -> Mapping[str, Result]:
    """The results while a bundle is being made: what can only be known of a finished one is open."""
    return {
        "checksums": Result(
            state="open", summary="SHA256SUMS covers every file, this page too; the commands below check it"
        ),
        "signature": Result(
            state="open",
            summary="SHA256SUMS.sig is over SHA256SUMS; the commands below tell who made it"
            if manifest.signed
            else "the bundle is not signed",
        ),
        "proof": proof_result(manifest),
        "rehearsal": Result(
            state="open", summary="a finished bundle is rehearsed: doit rehearse, then doit report, tells how it went"
        ),
        "vulnerabilities": Result(
            state="open", summary="nothing was scanned: a finished bundle is scanned by doit scan, then doit report"
        ),
    }


def earlier(path: Path) -> Snapshot:
    """What an earlier bundle held: from the bundle itself, or from its manifest.json, report.json or receipt.json.

    A manifest.json in a bundle's directory stands for the bundle. SourceError when there is nothing at `path`.
    """
    if not path.exists():
        raise SourceError(f"there is no {str(path)!r} to compare with", hint="since= names a bundle or a file of one")
    if path.name == MANIFEST and (path.parent / "SHA256SUMS").is_file():
        path = path.parent
    if path.suffix != ".json":
        bundle = open_bundle(path)
        return Snapshot.of_manifest(bundle.manifest, str(path), packages=_packages(bundle), values=_values(bundle))
    with storage_errors(f"read {str(path)!r}", path):
        if path.stat().st_size > _PAPERS:
            raise FormatError(f"{str(path)!r} is too large to tell of a bundle")
        return Snapshot.decode(path.read_bytes(), str(path))


def last_before(path: Path, manifest: BundleManifest) -> Path | None:
    """The bundle beside `path`, of its name, that was made last before it; None when there is none.

    Another of its own version is the same crossing made whole or as a delta: it is not the one before.
    """
    found = []
    for beside in path.resolve().parent.iterdir():
        try:
            other = _manifest_of(beside)
        except (OSError, AirgapError):
            continue
        if other is None:
            continue
        if other.name != manifest.name or other.version == manifest.version or other.created > manifest.created:
            continue
        found.append((other.created, other.delta is None, beside))
    return max(found)[2] if found else None


def _manifest_of(path: Path) -> BundleManifest | None:
    """The manifest of the bundle that a directory or a list of parts stands for; None for what is no such."""
    if path.name.endswith(".tar.sha256"):
        directory = path.with_name(path.name.removesuffix(".tar.sha256"))
        return None if directory.is_dir() else open_bundle(path).manifest
    return BundleManifest.decode((path / MANIFEST).read_bytes()) if path.is_dir() else None


def _packages(bundle: OpenedBundle) -> Mapping[str, SbomSummary]:
    """The packages of every image that has an SBOM. A FormatError names one that can't be read."""
    found = {}
    for entry in bundle.manifest.images:
        if entry.sbom:
            try:
                found[entry.name] = SbomSummary.decode(bundle.read(entry.sbom))
            except FormatError as err:
                raise FormatError(f"{entry.sbom}: {err.what}", hint=err.hint) from err
    return found


def _values(bundle: OpenedBundle) -> Mapping[str, str]:
    return flat_values(strict_json.loads(bundle.read(RESOLVED_SPEC)), bundle.read)
