"""Whether SHA256SUMS covers all that manifest.json promises, down to every blob of every image."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bundle.descriptor import Descriptor
from bundle.digest import Digest
from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.finding import Finding
from bundle.layout import DOCKER_MANIFEST, INDEX, OCI_LAYOUT, REF_NAME, blob_name, reachable
from bundle.layout_source import LayoutSource, read_index
from bundle.manifest import MANIFEST, BundleManifest, ImageEntry
from bundle.sums import SIGNATURE, SUMS
from bundle.tree import Below, Tree, read_small
from bundle.trust import read_signature

IMAGES = "images"
_MAX_MANIFEST = 64 * 1024 * 1024  # bytes


@dataclass(slots=True)
class Completeness:
    """What is missing from the list or contradicts it, and whose content each file is."""

    findings: list[Finding] = field(default_factory=list)
    owners: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def check_completeness(tree: Tree, sums: Mapping[str, Digest]) -> Completeness:
    """Compare what manifest.json promises with the list of checksums and the layout of images.

    Only small files are read: the bytes of the others are compared with the list elsewhere. An OSError comes through.
    """
    result = Completeness()
    try:
        manifest = BundleManifest.decode(read_small(tree, MANIFEST, _MAX_MANIFEST))
    except FileNotFoundError:
        result.findings.append(Finding(kind="missing", item=MANIFEST))
        return result
    except FormatError as err:
        result.findings.append(Finding(kind="unreadable", item=MANIFEST, observed=err.what))
        return result
    _require(result, sums, MANIFEST, "the bundle")
    _check_signature(result, tree, manifest)
    for chart in manifest.charts:
        _require(result, sums, chart.file, f"chart {chart.name!r}", chart.digest)
        if chart.provenance:
            _require(result, sums, chart.provenance, f"chart {chart.name!r}")
    for file in manifest.files:
        _require(result, sums, file.file, f"file {file.name!r}", file.digest)
    if manifest.layout == "oci" and manifest.images:
        _check_layout(result, tree, sums, manifest)
    for image in manifest.images:
        if manifest.layout == "docker-archive":
            _require(result, sums, image.file, _of(image))
        if image.sbom:
            _require(result, sums, image.sbom, _of(image))
    return result


def _of(image: ImageEntry) -> str:
    return f"image {image.name!r}"


def _require(
    result: Completeness, sums: Mapping[str, Digest], name: str, owner: str, digest: Digest | None = None
) -> bool:
    """Note that `owner` needs a file; True when the list has it, and with the digest it must have."""
    if owner not in result.owners[name]:
        result.owners[name].append(owner)
    listed = sums.get(name)
    if listed is None:
        result.findings.append(Finding(kind="unlisted", item=name, expected=f"a line in {SUMS}"))
        return False
    if digest and digest.algorithm == listed.algorithm and digest != listed:
        result.findings.append(Finding(kind="damaged", item=name, expected=str(digest), observed=f"{listed} in {SUMS}"))
        return False
    return True


def _check_signature(result: Completeness, tree: Tree, manifest: BundleManifest) -> None:
    if manifest.signed and read_signature(tree) is None:
        expected = "the signature that the manifest tells of"
        result.findings.append(Finding(kind="missing", item=SIGNATURE, expected=expected))


def _check_layout(result: Completeness, tree: Tree, sums: Mapping[str, Digest], manifest: BundleManifest) -> None:
    for name in (OCI_LAYOUT, INDEX, DOCKER_MANIFEST):
        _require(result, sums, f"{IMAGES}/{name}", "all images")
    images = Below(tree, IMAGES)
    try:
        roots = {entry.annotations.get(REF_NAME): entry for entry in read_index(images)}
    except FileNotFoundError as err:
        result.findings.append(Finding(kind="missing", item=str(err)))
        return
    except FormatError as err:
        result.findings.append(Finding(kind="unreadable", item=f"{IMAGES}/{INDEX}", observed=err.what))
        return
    for image in manifest.images:
        root = roots.get(str(image.reference))
        if root is None or root.digest != image.digest:
            observed = str(root.digest) if root else "none"
            result.findings.append(
                Finding(
                    kind="missing",
                    item=f"{image.reference} in {IMAGES}/{INDEX}",
                    expected=str(image.digest),
                    observed=observed,
                )
            )
            result.owners[f"{image.reference} in {IMAGES}/{INDEX}"].append(_of(image))
        else:
            _check_image(result, images, sums, image, root)


def _check_image(
    result: Completeness, images: Tree, sums: Mapping[str, Digest], image: ImageEntry, root: Descriptor
) -> None:
    source = LayoutSource(images, str(image.reference), _of(image))
    try:
        content = reachable(root, source.manifest)
    except (FormatError, IntegrityError, SourceError) as err:
        result.findings.append(Finding(kind="damaged", item=_of(image), observed=err.what))
        return
    for descriptor in content:
        name = f"{IMAGES}/{blob_name(descriptor.digest)}"
        listed = _require(result, sums, name, _of(image), descriptor.digest)
        try:
            size = images.size(blob_name(descriptor.digest))
        except FileNotFoundError:
            if not listed:
                result.findings.append(Finding(kind="missing", item=name))
            continue
        if size != descriptor.size:
            result.findings.append(
                Finding(kind="damaged", item=name, expected=f"{descriptor.size} bytes", observed=f"{size} bytes")
            )
