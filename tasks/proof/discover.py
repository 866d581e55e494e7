"""What a release's chart renders before the crossing, with the values of the install and stand-ins for the site's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bundle.errors import ProofError, ReleaseError, storage_errors
from bundle.formats.sizes import human
from bundle.metadata.manifest import ImageEntry
from bundle.oci.digest import Digest
from clients.charts.annotations import annotated_images
from clients.charts.capabilities import asked_apis
from clients.charts.images import FoundImage, find_images
from clients.charts.release_size import MOST, ReleaseSize, release_size
from clients.cluster.helm import Helm
from schema.loading.values import read_all
from schema.site.image_names import ImageNames
from schema.site.instances import expanded, sampled
from schema.site.settings import completed
from schema.site.site import Site
from schema.site.stand_ins.charts import StandIns, shaped
from schema.spec.contents import ChartSpec
from schema.spec.install import DEFAULT_TIMEOUT, ReleaseSpec
from schema.values.chart import ChartValues
from schema.values.rendered import rendered_file
from schema.values.unknown_keys import unknown_keys
from schema.values.values import release_values
from tasks.collect.images import pin_of
from tasks.runtime.project import Project

UNKNOWN = Digest.parse(f"sha256:{'0' * 64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """The images of a release, and its values that the chart does not know.

    `with_apis` are the further images that it uses for certain where the cluster has the APIs that it has `asked` for.
    """

    images: tuple[FoundImage, ...]
    with_apis: tuple[FoundImage, ...]
    asked: tuple[str, ...]
    unknown: tuple[str, ...]


def discover(project: Project, release: ReleaseSpec, chart: Path, helm: Helm) -> Discovered:
    """Render a packaged chart and find its images; a ReleaseError when it can't be rendered.

    The cluster counts as one of the oldest version that the spec allows, with the APIs that it names. A release that is
    repeated is rendered for each item of the site's list, or for one that stands for them.
    """
    spec = replace(project.spec, install=replace(project.spec.install, releases=(release,)))
    with storage_errors(f"read chart {release.chart!r}", chart):
        package = chart.read_bytes()
    site = Site.load(project.options.site) if project.options.site else Site()
    site = sampled(spec, site)
    found = [
        _discover(project, one, site, helm, chart=chart, package=package)
        for one in expanded(spec, lambda: site).install.releases
    ]
    images = {image: None for one in found for image in one.images}
    texts = {image.text for image in images}
    return Discovered(
        images=tuple(images),
        with_apis=tuple({i: None for one in found for i in one.with_apis if i.text not in texts}),
        asked=tuple(dict.fromkeys(api for one in found for api in one.asked)),
        unknown=tuple(dict.fromkeys(key for one in found for key in one.unknown)),
    )


def _discover(
    project: Project, release: ReleaseSpec, site: Site, helm: Helm, *, chart: Path, package: bytes
) -> Discovered:
    spec, subject = project.spec, f"chart {release.chart!r}"
    about = ChartValues.read(package, subject=subject)
    files = read_all(replace(spec, install=replace(spec.install, releases=(release,))))
    lookup = StandIns(
        images=image_names(project),
        site=completed(site, spec.settings),
        generated={secret.name: secret.generate for secret in spec.install.secrets if secret.generate},
    )
    values = release_values(release, files, lookup, site.overrides)
    asked = sorted({*asked_apis(package, subject=subject)} - {*spec.install.kubernetes.api_versions})
    with rendered_file(shaped(values, about)) as path:
        render = partial(_render, project, release, helm, chart=chart, values=path)
        try:
            rendered = render(())
        except ReleaseError as err:
            if asked and "skip_schema_validation" not in err.hint:
                err.hint = f"{err.hint}; {if_there(asked)}".removeprefix("; ")
            raise
        more = render(asked) if asked else ""
    _check_size(release_size(package, values=values.data, rendered=rendered, subject=subject), release)
    find = partial(find_images, fields=spec.discovery.fields, subject=f"release {release.name!r}")
    found = find(rendered)
    texts = {each.text for each in found}
    with_apis = [each for each in find(more) if each.certain and each.text not in texts] if more else []
    return Discovered(
        images=(*found, *annotated_images(package, subject=subject)),
        with_apis=tuple(with_apis),
        asked=tuple(asked),
        unknown=tuple(str(each) for each in unknown_keys(values, about)),
    )


def _render(
    project: Project, release: ReleaseSpec, helm: Helm, more: Sequence[str], *, chart: Path, values: Path
) -> str:
    kubernetes = project.spec.install.kubernetes
    return helm.template(
        release.name,
        chart,
        namespace=release.namespace,
        values=values,
        kube_version=kubernetes.min_version,
        api_versions=(*kubernetes.api_versions, *more),
        skip_schema=bool(release.skip_schema_validation),
    )


def if_there(apis: Sequence[str]) -> str:
    """What to write for APIs that the cluster may have."""
    return f"if the cluster has them, install: {{kubernetes: {{api_versions: [{', '.join(apis)}]}}}}"


def _check_size(size: ReleaseSize, release: ReleaseSpec) -> None:
    if not size.fits:
        raise ProofError(
            f"release {release.name!r} is too large for Helm, which stores a release in one Secret: expected at most "
            f"{human(MOST)}, it needs {human(size.stored)}",
            [f"the largest file of its chart is {size.largest} with {human(size.largest_size)}"],
            hint="leave out what the chart does not need in its .helmignore, or render fewer objects",
        )


def image_names(project: Project) -> ImageNames:
    """What the spec's images are called inside; one that is not pinned yet, or made inside, has a digest of zeros."""
    entries = {}
    for image in project.spec.images:
        pin = pin_of(project, image)
        entries[image.name] = ImageEntry(
            name=image.name,
            source=image.source_text,
            reference=image.target,
            digest=pin.digest if pin else UNKNOWN,
            media_type=pin.media_type if pin else "",
            size=pin.size if pin else 0,
            platform=image.platform,
        )
    made = {image.name: image.target for image in project.spec.derived}
    return ImageNames(
        images=entries,
        references={name: entry.reference for name, entry in entries.items()} | made,
        derived=dict.fromkeys(made, lambda: UNKNOWN),
    )


def releases_of(project: Project) -> Sequence[ReleaseSpec]:
    """The releases of the spec; a chart without one counts as a release of its own, with the chart's own values."""
    releases = project.spec.install.releases
    used = {release.chart for release in releases}
    return [*releases, *(_alone(chart) for chart in project.spec.charts if chart.name not in used)]


def _alone(chart: ChartSpec) -> ReleaseSpec:
    name = "".join(each if each.isalnum() else "-" for each in chart.name.lower())[:53].strip("-")
    return ReleaseSpec(
        name=name,
        chart=chart.name,
        namespace="default",
        values=(),
        timeout=DEFAULT_TIMEOUT,
        health=(),
        ignore_images={},
        needs=(),
        after=(),
    )
