"""What `doit plan install` adds: the bytes to send, how values would change, and what stands in a release's way."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from secrets import token_hex
from typing import Any, TypeVar

from bundle.errors import AirgapError
from bundle.formats.sizes import counted, human
from bundle.metadata.receipt import LeftOver
from bundle.oci.digest import Digest
from clients.preflight.findings import Finding, Findings, render
from clients.programs.process import masked
from schema.spec.install import ReleaseSpec
from schema.syntax.template import Name
from schema.values.changes import ValueChange, value_changes
from schema.values.flat import shown_values
from schema.values.values import KeyPath
from tasks.install.charts.judge import judge_releases
from tasks.install.push import image_entry, image_parts
from tasks.install.verify import refused
from tasks.site.receiver import Receiver
from tasks.site.records.left_over import left_over, told

_BASES = ("values", "helm", "health")  # of a release's steps
_VALUES_CHANGED = "values changed"  # as the steps say it
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """One release: `install`, `upgrade` or `leave`, the chart, the values that differ, and why besides these.

    `reasons` are those of its steps, which are told with it, `overrides` the values that the site file says, one line
    each, names unresolved.
    """

    name: str
    change: str
    chart: str
    values: tuple[ValueChange, ...] = ()
    reasons: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its steps."""
        return tuple(f"{base}:{self.name}" for base in _BASES)

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "release": self.name,
            "change": self.change,
            "chart": self.chart,
            "reasons": list(self.reasons),
            "values": [each.to_dict() for each in self.values],
            "overrides": list(self.overrides),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.change} release {self.name} from chart {self.chart}"
        yield from (f"   {reason}" for reason in self.reasons)
        yield from (f"   override {line}" for line in self.overrides)
        yield from (f"   {line}" for each in self.values for line in each.lines())


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """The bytes of each image that the registry lacks (blobs shared by images counted once), and the releases.

    Install would refuse where `lacking` names what a delta leaves out and nobody has, or `refused` that it is too old,
    and where `findings` about the charts in this cluster are errors; their texts are masked. `off` are the releases
    that this site leaves out, each with its `when`.
    """

    images: Mapping[str, int]
    bytes_to_send: int
    releases: tuple[ReleasePlan, ...]
    unknown: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    refused: str = ""
    findings: Findings = ()
    left_over: LeftOver = field(default_factory=LeftOver)
    off: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "images_to_send": dict(self.images),
            "bytes_to_send": self.bytes_to_send,
            "releases": [each.to_dict() for each in self.releases],
            "unknown": list(self.unknown),
            "lacking": list(self.lacking),
            "refused": self.refused,
            "findings": [asdict(each) for each in self.findings],
            "left_over": self.left_over.to_dict(),
            "off": dict(self.off),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.refused:
            yield f"refused: {self.refused}"
        for release in self.releases:
            yield from release.lines()
        for name, when in self.off.items():
            yield f"off at this site: release {name}, by {when}"
        for reason in (
            *(f"not known: {each}" for each in self.unknown),
            *(f"not there: {each}" for each in self.lacking),
        ):
            yield from reason.splitlines()
        yield from render(self.findings)
        yield from told(self.left_over)
        yield f"to send: {human(self.bytes_to_send)} in {counted(len(self.images), 'image')}"


def plan_install(receiver: Receiver, due: Mapping[str, str]) -> InstallPlan:
    """Look at the registry and the cluster for the steps that are due, each with the reason; nothing is changed."""
    unknown: list[str] = []
    missing: dict[str, dict[Digest, int]] = {}
    for name in receiver.images.references:
        if f"push:{name}" in due:
            try:
                missing[name] = _missing(receiver, name)
            except AirgapError as err:
                unknown.append(str(err))
    inside = receiver.crossing.inside
    lacking = _look(lambda: [str(err) for _, err in inside.lacking()], list[str](), unknown) if inside else []
    releases = []
    for release in receiver.carried.spec.install.releases:
        try:
            releases.append(_release(receiver, release, due))
        except AirgapError as err:
            unknown.append(str(err))
    findings: Findings = ()
    if "preflight" in due and receiver.carried.spec.install.releases:
        findings = _look(lambda: tuple(_shown(receiver, each) for each in judge_releases(receiver)), (), unknown)
    left = _look(lambda: left_over(receiver), LeftOver(), unknown)
    together = {digest: size for parts in missing.values() for digest, size in parts.items()}
    return InstallPlan(
        images={name: sum(parts.values()) for name, parts in missing.items()},
        bytes_to_send=sum(together.values()),
        releases=tuple(releases),
        unknown=tuple(dict.fromkeys(unknown)),
        lacking=tuple(lacking),
        refused=refused(receiver),
        findings=findings,
        left_over=left,
        off={each.name: each.when for each in receiver.carried.spec.install.off},
    )


def _look(look: Callable[[], _T], otherwise: _T, unknown: list[str]) -> _T:
    """What a look gives; what can't be known for it is told."""
    try:
        return look()
    except AirgapError as err:
        unknown.append(str(err))
        return otherwise


def _shown(receiver: Receiver, finding: Finding) -> Finding:
    """A finding without what is secret."""
    what, expected, observed, hint = (
        masked(text, receiver.known) for text in (finding.what, finding.expected, finding.observed, finding.hint)
    )
    return replace(finding, what=what, expected=expected, observed=observed, hint=hint)


def _missing(receiver: Receiver, name: str) -> dict[Digest, int]:
    """The blobs of an image that its repository lacks, with their sizes."""
    entry = image_entry(receiver, name)
    lacks = receiver.carried.bundle.manifest.lacks(entry)
    parts = {digest: part for digest, part in image_parts(receiver, entry).items() if digest not in lacks}
    missing = receiver.crossing.delivery.missing(entry, parts)
    return {digest: part.size for digest, part in missing.items()}


def _release(receiver: Receiver, release: ReleaseSpec, due: Mapping[str, str]) -> ReleasePlan:
    found = receiver.cluster.release(release)
    chart = receiver.carried.chart(release.chart).name.removesuffix(".tgz")
    file = receiver.overrides.get(release.name)
    planned = partial(ReleasePlan, name=release.name, chart=chart, overrides=tuple(shown_values(file)) if file else ())
    if found is None:
        return planned(change="install")
    changes = f"helm:{release.name}" in due
    values = _changes(receiver, release) if changes else ()
    given = dict.fromkeys(due.get(f"{base}:{release.name}", "") for base in _BASES)
    reasons = tuple(
        masked(reason, receiver.known)
        for reason in given
        if reason and not reason.startswith("after ") and not (values and reason == _VALUES_CHANGED)
    )
    change = "upgrade" if changes else "leave"
    return planned(change=change, values=values, reasons=reasons)


def _changes(receiver: Receiver, release: ReleaseSpec) -> tuple[ValueChange, ...]:
    """How the release's values in the cluster would change."""
    now = receiver.cluster.helm.get_values(release.name, namespace=release.namespace)
    then, facts, mark = receiver.values(release).data, receiver.facts, token_hex()

    def marked(name: Name) -> Any:
        return mark if facts.is_secret(name) else facts(name)

    leaves = list(_leaves(receiver.values(release, marked).data, ()))
    secret = [path for path, text in leaves if mark in text]
    shown = [text for _, text in leaves if mark not in text]  # what stands openly in the values is no secret
    known = [each for each in receiver.known if not any(each in text for text in shown)]
    return value_changes(now, then, secret=secret, is_known=lambda text: masked(text, known) != text)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _leaves(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, str(value)
