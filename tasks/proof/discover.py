"""What a release's chart renders before the crossing, with the values of the install and stand-ins for the site's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundle.errors import storage_errors
from bundle.metadata.manifest import ImageEntry
from bundle.oci.digest import Digest
from clients.charts.annotations import annotated_images
from clients.charts.images import FoundImage, find_images
from clients.cluster.helm import Helm
from schema.loading.values import read_all
from schema.site.image_names import ImageNames
from schema.site.site import Site
from schema.site.stand_ins import StandIns, shaped
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
    """The images of a release, and its values that the chart does not know."""

    images: tuple[FoundImage, ...]
    unknown: tuple[str, ...]


def discover(project: Project, release: ReleaseSpec, chart: Path, helm: Helm) -> Discovered:
    """Render a packaged chart and find its images; a ReleaseError when it can't be rendered.

    The cluster counts as one of the oldest version that the spec allows.
    """
    spec, subject = project.spec, f"chart {release.chart!r}"
    with storage_errors(f"read {subject}", chart):
        package = chart.read_bytes()
    about = ChartValues.read(package, subject=subject)
    files = read_all(replace(spec, install=replace(spec.install, releases=(release,))))
    lookup = StandIns(
        images=image_names(project),
        site=Site.load(project.options.site) if project.options.site else Site(),
        generated={secret.name: secret.generate for secret in spec.install.secrets if secret.generate},
    )
    values = release_values(release, files, lookup)
    with rendered_file(shaped(values, about)) as path:
        rendered = helm.template(
            release.name,
            chart,
            namespace=release.namespace,
            values=path,
            kube_version=spec.install.kubernetes.min_version,
        )
    found = find_images(rendered, fields=spec.discovery.fields, subject=f"release {release.name!r}")
    return Discovered(
        images=(*found, *annotated_images(package, subject=subject)),
        unknown=tuple(str(each) for each in unknown_keys(values, about)),
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
