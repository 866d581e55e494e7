"""What the sources have now, beside what is pinned: later versions, other bytes by the same name. Changes nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bundle.charts.artifact import chart_tag
from bundle.errors import SourceError
from bundle.formats import strict_json
from bundle.formats.tag_scheme import later, same_line
from bundle.oci.digest import Digest
from bundle.oci.locations import ChartLocation, LocalChart, OciChart, RegistryImage
from bundle.oci.reference import Reference
from schema.spec.contents import ChartSpec, FileSpec, ImageSpec
from tasks.collect import charts, files, images
from tasks.runtime.project import Project

if TYPE_CHECKING:
    from clients.charts.annotations import ReleaseNotes

# Where a file's address names a release, the page that leads to the newest one: GitHub's and GitLab's addresses.
_ON_GITHUB = re.compile(r"(https?://[^/]+/[^/]+/[^/]+/releases)/download/([^/]+)/.+")
_ON_GITLAB = re.compile(r"(https?://.+/-/releases)/([^/]+)/downloads/.+")
_RELEASES = (
    (_ON_GITHUB, r"\1/latest", r".*/releases/tag/([^/]+)"),
    (_ON_GITLAB, r"\1/permalink/latest", r".*/-/releases/([^/]+)"),
)
_MAX_PAGE = 8 * 1024 * 1024  # bytes of a release's page, whose address is what counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One image, chart or file, and what its source has now.

    `newer` are later versions of the pinned one's scheme, the earliest first. `moved` is the digest that its name now
    stands for, where that is another than the pinned one. `links` lead to a chart's release notes, by their names.
    `note` says why nothing, or not all, is known.
    """

    kind: str
    name: str
    source: str
    version: str
    pinned: str = ""
    newer: tuple[str, ...] = ()
    moved: str = ""
    links: dict[str, str] = field(default_factory=dict, hash=False)
    is_security: bool = False
    note: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether there is something to do."""
        return bool(self.newer or self.moved)

    @property
    def newest(self) -> str:
        """The latest version; empty where the pinned one is."""
        return self.newer[-1] if self.newer else ""

    @property
    def nearest(self) -> str:
        """The latest version with the first number of the pinned one; empty where there is none but the newest."""
        line = same_line(self.version, self.newer)
        return line[-1] if line and line[-1] != self.newest else ""

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "newest": self.newest, "outdated": self.is_outdated}


Look = tuple[str, Callable[[], Offer]]
"""The name of an image, chart or file, and how to ask its source."""


def looks(project: Project) -> Iterator[Look]:
    """All that the spec names, in its order."""
    spec = project.spec
    yield from ((image.name, partial(_image, project, image)) for image in spec.images)
    yield from ((chart.name, partial(_chart, project, chart)) for chart in spec.charts)
    yield from ((file.name, partial(_file, project, file)) for file in spec.files)


def _image(project: Project, image: ImageSpec) -> Offer:
    pin = project.lock.images.get(image.name)
    pin = pin if pin and pin.fits(image) else None
    offer = Offer(kind="image", name=image.name, source=image.source_text, version="", note="local")
    if not isinstance(image.source, RegistryImage):
        return replace(offer, pinned=str(pin.digest) if pin else "")
    reference = image.source.reference
    tag = reference.tag or ("" if reference.digest else "latest")
    pinned = reference.digest or ((pin.upstream or pin.digest) if pin else None)
    offer = replace(offer, version=tag, pinned=str(pinned or ""), note="")
    if not tag:
        return replace(offer, note="named by its digest, without a tag")
    known = {each for each in (pinned, pin.digest, pin.index, pin.subset_of) if each} if pin else {pinned}
    now = images.digests_now(project, image, replace(reference, digest=None))
    moved = str(now[-1]) if pinned and not known & set(now) else ""
    found = later(tag, _tags(project, reference, f"image {image.name!r}"))
    note = f"{tag!r} is no version: only its digest was compared" if found is None else ""
    return replace(offer, newer=found or (), moved=moved, note=note)


def _chart(project: Project, chart: ChartSpec) -> Offer:
    pin = charts.chart_pin(project, chart)
    version = pin.version if pin else chart.version
    offer = Offer(
        kind="chart", name=chart.name, source=chart.source_text, version=version, pinned=str(pin.sha256) if pin else ""
    )
    if isinstance(chart.source, LocalChart):
        return replace(offer, note="local")
    listed = _listed(project, chart, chart.source)
    now = listed.get(version)
    sha256 = now() if now and pin else None
    newer = later(version, listed)
    offer = replace(offer, newer=newer or (), note="" if newer is not None else f"{version!r} is no version")
    if pin and now is None:
        offer = replace(offer, note=f"the source no longer has {version}")
    if sha256 and pin and sha256 != pin.sha256:
        offer = replace(offer, moved=str(sha256))
    release = _release(project, chart, chart.source, offer.newest) if offer.newest else None
    return replace(offer, links=dict(release.links), is_security=release.is_security) if release else offer


def _listed(project: Project, chart: ChartSpec, source: ChartLocation) -> dict[str, Callable[[], Digest | None]]:
    """The versions that the source has, and how to find the sha256 of the package of one."""
    if isinstance(source, OciChart):
        tags = _tags(project, source.reference, f"chart {chart.name!r}")
        # A tag can't hold the + of build metadata: Helm writes _ instead.
        return {tag.replace("_", "+"): partial(_package_now, project, chart, source, tag) for tag in tags}
    listed = project.charts.listed(str(source), name=chart.chart or chart.name)
    return {each.version: partial(_sha256, each.digest) for each in listed}


def _sha256(text: str) -> Digest | None:
    told = text.removeprefix("sha256:").lower()
    return Digest(algorithm="sha256", hex=told) if re.fullmatch("[0-9a-f]{64}", told) else None


def _package_now(project: Project, chart: ChartSpec, source: OciChart, tag: str) -> Digest | None:
    from bundle.oci.media_types import HELM_CHART

    _, manifest = _manifest(project, chart, source, tag)
    packages = [layer.digest for layer in manifest.layers if layer.media_type == HELM_CHART]
    return packages[0] if packages else None


def _manifest(project: Project, chart: ChartSpec, source: OciChart, tag: str) -> Any:
    from bundle.transfer.image import parse_manifest

    subject = f"chart {chart.name!r}"
    repository = project.registries.repository(replace(source.reference, tag=tag), subject=subject)
    return repository, parse_manifest(repository.manifest, repository.resolve(), subject)


def _release(project: Project, chart: ChartSpec, source: ChartLocation, version: str) -> "ReleaseNotes":
    """What Artifact Hub's annotations say of a version."""
    from clients.charts.annotations import ReleaseNotes

    if not isinstance(source, OciChart):
        listed = project.charts.listed(str(source), name=chart.chart or chart.name)
        return ReleaseNotes.of(next(each.annotations for each in listed if each.version == version))
    repository, manifest = _manifest(project, chart, source, chart_tag(version))
    if manifest.is_index or manifest.config.size > _MAX_PAGE:
        return ReleaseNotes.of({})
    raw = b"".join(repository.read(manifest.config, 0))
    try:
        data = strict_json.loads(raw)
    except ValueError:
        return ReleaseNotes.of({})
    return ReleaseNotes.of(data.get("annotations") if isinstance(data, dict) else {})


def _file(project: Project, file: FileSpec) -> Offer:
    pin = files.file_pin(project, file)
    offer = Offer(kind="file", name=file.name, source=file.source_text, version="", note="local")
    offer = replace(offer, pinned=str(pin.sha256 if pin else file.sha256 or ""))
    if not isinstance(file.source, str):
        return offer
    for address, newest, tagged in _RELEASES:
        if named := address.fullmatch(file.source):
            version = unquote(named[2])
            where = project.registries.transport.get(
                named.expand(newest), subject=f"file {file.name!r}", limit=_MAX_PAGE
            ).url
            found = re.fullmatch(tagged, where)
            tag = unquote(found[1]) if found else ""
            newer = later(version, [tag])
            note = "" if found and newer is not None else f"no version is found at {urlsplit(where).netloc}"
            return replace(offer, version=version, newer=newer or (), note=note)
    return replace(offer, note="its address has no list of versions")


def _tags(project: Project, reference: Reference, subject: str) -> Sequence[str]:
    from clients.registry.artifacts import list_tags

    registries = project.registries
    try:
        repository = registries.repository(reference, subject=subject)
        return list_tags(repository, transport=registries.transport, subject=subject)
    except ValueError as err:
        raise SourceError(f"{subject}: the list of tags of {reference.repository} can't be read: {err}") from err
