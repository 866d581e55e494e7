"""What the releases bring up in this very cluster: the objects, their kinds, and the images, proven once more."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bundle.errors import AirgapError, FormatError, ReleaseError, SpecError
from bundle.oci.digest import Digest
from clients.charts.images import FoundImage, find_images, ignored, pulls
from clients.cluster.crds import split_crds
from clients.http.transport import Transport
from clients.preflight.findings import Finding, Findings, Severity
from clients.preflight.needs import ApiKind
from clients.preflight.objects.rendered import RenderedObjects
from clients.registry.repository import Registries
from schema.site.stand_ins.charts import StandIns, shaped
from schema.spec.install import InstallSpec, ReleaseSpec
from schema.values.chart import ChartValues
from schema.values.rendered import rendered_file
from tasks.site.receiver import Receiver

_T = TypeVar("_T")
_WITH = "version and the APIs of this cluster"
_WITH_OVERRIDES = "site's overrides, the version and the APIs of this cluster"
_HINT = (
    "make the bundle with install.kubernetes.min_version and api_versions as this cluster has them: doit bundle then "
    "names what is missing"
)
_OVERRIDES_HINT = "let `overrides` of {} name images of the bundle, as ${{image.NAME.ref}}"
_NO_DIGEST = Digest.parse(f"sha256:{'0' * 64}")  # of an image that is not made yet


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedRelease:
    """A release as its chart renders for this cluster, with stand-ins for what is secret or not known yet."""

    release: ReleaseSpec
    text: str
    objects: RenderedObjects


def render_releases(receiver: Receiver) -> tuple[list[RenderedRelease], Findings]:
    """All releases, each rendered for the version and the APIs of the cluster; those that can't be are findings.

    A rehearsal, whose facts are placeholders, only warns of them.
    """
    version, apis = receiver.cluster.kubectl.version().server, receiver.cluster.kubectl.api_versions()
    severity: Severity = "warning" if receiver.options.rehearsal else "error"
    rendered: list[RenderedRelease] = []
    findings = []
    for release in receiver.carried.spec.install.releases:
        brought = {str(kind.api_version) for each in rendered for kind in each.objects.defines}
        try:
            rendered.append(_render(receiver, release, version=str(version), apis=sorted({*apis, *brought})))
        except ReleaseError as err:
            subject = f"release {release.name!r}"
            findings.append(Finding(subject=subject, what=err.what, hint=err.hint, severity=severity))
        except (FormatError, SpecError):  # a setting that is missing is told once, with the other settings
            continue
    return rendered, tuple(findings)


def render_one(receiver: Receiver, release: ReleaseSpec) -> RenderedRelease:
    """One release, when those before it are in."""
    version, apis = receiver.cluster.kubectl.version().server, receiver.cluster.kubectl.api_versions()
    return _render(receiver, release, version=str(version), apis=apis)


def _render(receiver: Receiver, release: ReleaseSpec, *, version: str, apis: Iterable[str]) -> RenderedRelease:
    spec = receiver.carried.spec
    lookup = StandIns(
        images=replace(receiver.images, derived=dict.fromkeys(receiver.images.derived, lambda: _NO_DIGEST)),
        site=receiver.site,
        generated={secret.name: secret.generate for secret in spec.install.secrets if secret.generate},
    )
    chart, subject = receiver.carried.chart(release.chart), f"release {release.name!r}"
    defaults = ChartValues.read(chart.read_bytes(), subject=f"chart {release.chart!r}")
    with rendered_file(shaped(receiver.values(release, lookup), defaults)) as path:
        text = receiver.cluster.helm.template(
            release.name,
            chart,
            namespace=release.namespace,
            values=path,
            kube_version=version,
            api_versions=tuple(apis),
            skip_schema=bool(release.skip_schema_validation),
        )
    try:
        objects = RenderedObjects.read(text, namespace=release.namespace, subject=subject)
    except FormatError as err:
        raise ReleaseError(err.what.removeprefix(f"{subject}: "), hint=err.hint) from err
    return RenderedRelease(release=release, text=text, objects=objects)


def missing_images(receiver: Receiver, rendered: Iterable[RenderedRelease]) -> Iterator[Finding]:
    """The images that a release uses in this cluster, and that neither the bundle nor the registry has."""
    fields = receiver.carried.spec.discovery.fields
    for each in rendered:
        subject = f"release {each.release.name!r}"
        has_overrides = each.release.name in receiver.site.overrides
        uses: dict[str, FoundImage] = {}
        _, templates = split_crds(each.text)  # definitions use no images, and are most of the text
        for found in find_images(templates, fields=fields, subject=subject):
            if found.certain and not ignored(found, each.release.ignore_images):
                uses.setdefault(found.text, found)
        for found in uses.values():
            if reason := _missing(receiver, found):
                yield Finding(
                    subject=subject,
                    what=f"image {found.text!r} ({found.object}, {found.field}) {reason}; its chart uses it with the "
                    f"{_WITH_OVERRIDES if has_overrides else _WITH}",
                    hint=_OVERRIDES_HINT.format(receiver.site.label) if has_overrides else _HINT,
                )


def _missing(receiver: Receiver, found: FoundImage) -> str:
    """Why an image can't be pulled; empty when it can."""
    reference = found.reference
    if reference is None:
        return "is no image reference"
    names = receiver.images
    for name, inside in names.references.items():
        entry = names.images.get(name)
        if pulls(reference, inside, entry.digest if entry else _NO_DIGEST):
            return ""
    if reference.host not in {each.host for each in names.references.values()}:
        return "is not in the bundle"
    try:
        with Transport(receiver.hosts, meter=receiver.project.console, pool_size=1) as transport:
            Registries(transport).repository(reference, subject=f"image {found.text!r}").resolve()
    except AirgapError:
        return "is neither in the bundle nor in the registry"
    return ""


def brought_kinds(
    rendered: Iterable[RenderedRelease], install: InstallSpec
) -> tuple[Mapping[ApiKind, Mapping[str, Any]], Mapping[ApiKind, str]]:
    """The kinds that the installation defines itself before they are used, and those that it defines too late.

    A release may use kinds of its own CRDs and of those that come before it; for another one it is told what to set.
    """
    releases = list(rendered)
    earlier = _earlier(install)
    brought: dict[ApiKind, Mapping[str, Any]] = {}
    late: dict[ApiKind, str] = {}
    for user in releases:
        used = {kind for kinds in user.objects.kinds.values() for kind in kinds}
        for maker in releases:
            for kind in used & maker.objects.defines.keys():
                if maker is user or maker.release.name in earlier[user.release.name]:
                    brought[kind] = maker.objects.defines[kind]
                else:
                    maker_name, name = maker.release.name, user.release.name
                    late[kind] = f"release {maker_name!r} brings it: set needs: [{maker_name}] of release {name!r}"
    return brought, {kind: hint for kind, hint in late.items() if kind not in brought}


def _earlier(install: InstallSpec) -> Mapping[str, set[str]]:
    """The releases and actions that come before each release, and before those."""
    waits = {each.name: {*each.needs, *each.after} for each in install.releases}
    waits |= {each.name: {*each.after} for each in install.actions}

    def before(name: str, seen: set[str]) -> set[str]:
        for other in waits.get(name, set()) - seen:
            seen.add(other)
            before(other, seen)
        return seen

    return {each.name: before(each.name, set()) for each in install.releases}


def joined(parts: Iterable[Mapping[str, frozenset[_T]]]) -> dict[str, set[_T]]:
    """All of these by namespace."""
    found: dict[str, set[_T]] = {}
    for part in parts:
        for place, members in part.items():
            found.setdefault(place, set()).update(members)
    return found
