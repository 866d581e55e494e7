"""Whether SHA256SUMS covers all that manifest.json promises, down to every blob of every image.

What a delta leaves out is looked for in its base.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.formats.sizes import counted, human
from bundle.formats.visible import one_line
from bundle.images.layout import DOCKER_MANIFEST, INDEX, OCI_LAYOUT, REF_NAME, blob_name
from bundle.images.layout_source import LayoutIndex, LayoutSource
from bundle.metadata.base import Base
from bundle.metadata.checksums import SIGNATURE, SUMS
from bundle.metadata.manifest import BundleManifest, ImageEntry
from bundle.metadata.names import MANIFEST
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.signing.trust import read_signature
from bundle.storage.tree import Below, Joined, TarTree, Tree, index_members, read_small
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import is_manifest, reachable

FindingKind = Literal["missing", "extra", "damaged", "unreadable", "unsafe", "duplicate", "unlisted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One item that is not as it must be; `affects` names the images, charts and files of the spec that need it."""

    kind: FindingKind
    item: str
    expected: str = ""
    observed: str = ""
    affects: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.kind}: {self.item}"
        if self.affects:
            text += f" (of {', '.join(self.affects)})"
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"found {self.observed}"] if self.observed else []
        return one_line(f"{text}: {', '.join(details)}" if details else text)


def with_owners(findings: Sequence[Discrepancy], owners: Mapping[str, Sequence[str]]) -> tuple[Discrepancy, ...]:
    """The same findings, each saying whose content it touches; one that is there twice is kept once."""
    told = (replace(finding, affects=tuple(owners.get(finding.item, ()))) for finding in findings)
    return tuple(dict.fromkeys(told))


IMAGES = "images"
_MAX_MANIFEST = 16 * 1024 * 1024  # bytes


@dataclass(slots=True)
class Completeness:
    """What is missing from the list or contradicts it, and whose content each file is.

    `needed` are the blobs that a delta leaves out, with their sizes; `note` tells of them.
    """

    findings: list[Discrepancy] = field(default_factory=list)
    owners: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    needed: dict[Digest, int] = field(default_factory=dict)
    note: str = ""


def check_completeness(tree: Tree, sums: Mapping[str, Digest], base: Base | None = None) -> Completeness:
    """Compare what manifest.json promises with the list of checksums and the layout of images.

    Only small files are read: the bytes of the others are compared with the list elsewhere. An OSError comes through.
    With a `base`, it must have every blob that a delta leaves out.
    """
    result = Completeness()
    try:
        manifest = BundleManifest.decode(read_small(tree, MANIFEST, _MAX_MANIFEST))
    except FileNotFoundError:
        result.findings.append(Discrepancy(kind="missing", item=MANIFEST))
        return result
    except FormatError as err:
        result.findings.append(Discrepancy(kind="unreadable", item=MANIFEST, observed=err.what))
        return result
    _require(result, sums, MANIFEST, "the bundle")
    _check_signature(result, tree, manifest)
    for chart in manifest.charts:
        _require(result, sums, chart.file, f"chart {chart.name!r}", chart.digest)
        if chart.provenance:
            _require(result, sums, chart.provenance, f"chart {chart.name!r}")
    for file in manifest.files:
        _require(result, sums, file.file, f"file {file.name!r}", file.digest)
    _check_images(result, tree, sums, manifest)
    if manifest.delta or base:
        _check_base(result, manifest, base)
    return result


def _check_images(result: Completeness, tree: Tree, sums: Mapping[str, Digest], manifest: BundleManifest) -> None:
    if manifest.layout == "oci" and manifest.images:
        _check_layout(result, tree, sums, manifest)
    for image in manifest.images:
        if manifest.layout == "docker-archive" and _require_archives(result, sums, image):
            _check_archives(result, tree, manifest, image)
        if image.sbom:
            _require(result, sums, image.sbom, _of(image))


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
        result.findings.append(Discrepancy(kind="unlisted", item=name, expected=f"a line in {SUMS}"))
        return False
    if digest and digest.algorithm == listed.algorithm and digest != listed:
        result.findings.append(
            Discrepancy(kind="damaged", item=name, expected=str(digest), observed=f"{listed} in {SUMS}")
        )
        return False
    return True


def _check_signature(result: Completeness, tree: Tree, manifest: BundleManifest) -> None:
    if manifest.signed and read_signature(tree) is None:
        expected = "the signature that the manifest tells of"
        result.findings.append(Discrepancy(kind="missing", item=SIGNATURE, expected=expected))


def _check_layout(result: Completeness, tree: Tree, sums: Mapping[str, Digest], manifest: BundleManifest) -> None:
    for name in (OCI_LAYOUT, INDEX, DOCKER_MANIFEST):
        _require(result, sums, f"{IMAGES}/{name}", "all images")
    images = Below(tree, IMAGES)
    try:
        index = LayoutIndex(images)
        roots = {entry.annotations.get(REF_NAME): entry for entry in index.entries}
    except FileNotFoundError as err:
        result.findings.append(Discrepancy(kind="missing", item=str(err)))
        return
    except FormatError as err:
        result.findings.append(Discrepancy(kind="unreadable", item=f"{IMAGES}/{INDEX}", observed=err.what))
        return
    for image in manifest.images:
        root = roots.get(str(image.reference))
        if root is None or root.digest != image.digest:
            observed = str(root.digest) if root else "none"
            result.findings.append(
                Discrepancy(
                    kind="missing",
                    item=f"{image.reference} in {IMAGES}/{INDEX}",
                    expected=str(image.digest),
                    observed=observed,
                )
            )
            result.owners[f"{image.reference} in {IMAGES}/{INDEX}"].append(_of(image))
        else:
            source = LayoutSource(images, str(image.reference), _of(image), index)
            _check_image(result, images, sums, manifest=manifest, source=source, image=image)


def _check_image(
    result: Completeness, images: Tree, sums: Mapping[str, Digest], *, manifest: BundleManifest, source: LayoutSource,
    image: ImageEntry,
) -> None:  # fmt: skip
    lacks = manifest.lacks(image)
    for descriptor in _content(result, source, image):
        name = f"{IMAGES}/{blob_name(descriptor.digest)}"
        if descriptor.digest in lacks and name not in sums:
            _need(result, descriptor, image)
            continue
        listed = _require(result, sums, name, _of(image), descriptor.digest)
        size = _size(images, descriptor)
        if size is not None:
            _check_size(result, name, descriptor, size)
        elif not listed:
            result.findings.append(Discrepancy(kind="missing", item=name))


def _require_archives(result: Completeness, sums: Mapping[str, Digest], image: ImageEntry) -> bool:
    """True when the list has each of the image's own tars."""
    listed = [_require(result, sums, file, _of(image)) for file in image.files or ("",)]
    return all(listed)


def _check_archives(result: Completeness, tree: Tree, manifest: BundleManifest, image: ImageEntry) -> None:
    """One image's own tar, or those of its platforms, whose members no list names."""
    tars = []
    for file in image.files:
        try:
            extent = tree.extent(file)
            tars.append(TarTree(extent, index_members(extent)))
        except FileNotFoundError:
            return  # told where the files are compared with the list
        except FormatError as err:
            result.findings.append(Discrepancy(kind="damaged", item=file, observed=err.what))
            return
    layout, where = Joined(tars), ", ".join(image.files)
    lacks = manifest.lacks(image)
    source = LayoutSource(layout, str(image.reference), _of(image))
    for descriptor in _content(result, source, image):
        name = f"{blob_name(descriptor.digest)} in {where}"
        size = _size(layout, descriptor)
        if size is not None:
            _check_size(result, name, descriptor, size)
        elif descriptor.digest in lacks:
            _need(result, descriptor, image)
        else:
            result.findings.append(Discrepancy(kind="missing", item=name))
            result.owners[name].append(_of(image))


def _content(result: Completeness, source: LayoutSource, image: ImageEntry) -> tuple[Descriptor, ...]:
    """All that the image's manifest names, and itself, and what is attached to it; nothing where a fault is noted."""
    try:
        content = reachable(_root(source, image), source.manifest)
        attached = [each for one in image.attachments for each in _attached(source, image, one)]
    except (FormatError, IntegrityError, SourceError) as err:
        result.findings.append(Discrepancy(kind="damaged", item=_of(image), observed=err.what))
        return ()
    blobs = {each.digest: each.size for each in content if not is_manifest(each)}
    if blobs != image.blobs:
        observed = f"other blobs of {_of(image)} than its own manifest names"
        result.findings.append(Discrepancy(kind="damaged", item=MANIFEST, observed=observed))
    return tuple({each.digest: each for each in (*content, *attached)}.values())


def _attached(source: LayoutSource, image: ImageEntry, attachment: Attachment) -> tuple[Descriptor, ...]:
    root = source.tagged(f"{image.reference.repository}:{attachment.tag}")
    if root is None or root.digest != attachment.digest:
        observed = root.digest if root else "none"
        raise IntegrityError(f"its {attachment.tag} is {observed}, expected {attachment.digest}")
    return reachable(root, source.manifest)


def _root(source: LayoutSource, image: ImageEntry) -> Descriptor:
    root = source.resolve()
    if root.digest != image.digest:
        raise IntegrityError(f"its index names {root.digest}, expected {image.digest}")
    return root


def _size(layout: Tree, descriptor: Descriptor) -> int | None:
    try:
        return layout.size(blob_name(descriptor.digest))
    except FileNotFoundError:
        return None


def _check_size(result: Completeness, name: str, descriptor: Descriptor, size: int) -> None:
    if size != descriptor.size:
        expected, observed = f"{descriptor.size} bytes", f"{size} bytes"
        result.findings.append(Discrepancy(kind="damaged", item=name, expected=expected, observed=observed))


def _need(result: Completeness, descriptor: Descriptor, image: ImageEntry) -> None:
    result.needed[descriptor.digest] = descriptor.size
    result.owners[str(descriptor.digest)].append(_of(image))


def _check_base(result: Completeness, manifest: BundleManifest, base: Base | None) -> None:
    """What is left out must be in the base, where one is given; else the note says what is needed."""
    needs = f"{counted(len(result.needed), 'blob')} ({human(sum(result.needed.values()))})"
    if manifest.delta is None:
        result.note = "a full bundle, which needs no base"
    elif base is None:
        told = f"whole as far as it goes, a delta: it needs {needs}, which {manifest.delta.base} says are inside"
        result.note = f"{told}; verify since=FILE, with that or a newer receipt, proves that both are complete together"
    elif base.named.name != manifest.name:
        expected = f"a receipt or manifest of {manifest.name!r}"
        result.findings.append(Discrepancy(kind="missing", item="base", expected=expected, observed=str(base.named)))
    else:
        for digest in sorted(result.needed.keys() - base.blobs.keys()):
            expected = f"{human(result.needed[digest])} here or in {base.named}"
            result.findings.append(Discrepancy(kind="missing", item=str(digest), expected=expected))
        if not result.findings:
            result.note = f"a delta, complete together with {base.named}, which has the {needs} that it leaves out"
