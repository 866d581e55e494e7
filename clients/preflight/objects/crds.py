"""What an upgrade does with the CRDs of a chart's crds/, told before the first change."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundle.errors import ClusterError
from clients.cluster.crds import Crd, apply_crd, differences, dropped_fields, same
from clients.cluster.kubectl import Kubectl
from clients.preflight.findings import Finding, finding_of

_SHOWN = 4  # objects, or fields of one

Place = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartCrd:
    """A definition of a chart's crds/, and the one that the cluster has; `installed`: so is the chart's release.

    `users` are the objects of its kind that the releases bring up, in the installation's words (their namespace is
    filled in); `by_hand` is the command that brings in the chart's CRDs.
    """

    subject: str
    new: Crd
    live: Crd | None
    installed: bool
    users: tuple[Mapping[str, Any], ...]
    by_hand: str


def kept(crd: ChartCrd) -> Iterator[Finding]:
    """What is lost when the definition is left as it is (`crds: keep`), as helm does."""
    name, new, live = crd.new.name, crd.new, crd.live
    hint = f"by hand: {crd.by_hand}; or use a bundle whose spec has install.crds: upgrade"
    if live is None:
        if crd.installed:
            yield Finding(
                subject=crd.subject,
                what=f"CRD {name} is new in its chart, and helm brings in CRDs only when a release is new",
                hint=hint,
                severity="error" if crd.users else "warning",
            )
        return
    differs = differences(new, live)
    if not differs:
        return
    lost = []
    for thing in crd.users:
        version = str(thing.get("apiVersion")).rpartition("/")[2]
        if version not in live.served:
            what = f"{_named(thing)} needs version {version} of CRD {name}, which the cluster's does not serve"
            expected, observed = version, ", ".join(live.served)
            yield Finding(subject=crd.subject, what=what, expected=expected, observed=observed, hint=hint)
        elif fields := sorted(set(live.unknown_fields(thing, version)) - set(new.unknown_fields(thing, version))):
            lost.append(f"{_named(thing)} loses {_some(fields)}")
    told = f": {_some(lost, '; ')}, which the cluster's CRD does not know" if lost else ""
    yield Finding(
        subject=crd.subject,
        what=f"CRD {name} differs from the cluster's (the chart's {' and '.join(differs)}), and helm leaves that{told}",
        hint=hint,
        severity="warning",
    )


def upgraded(kubectl: Kubectl, crd: ChartCrd, *, brought: Container[Place]) -> Iterator[Finding]:
    """What `crds: upgrade` does with the definition, and why it would be refused.

    Objects in `brought` get their content from the releases, so that what they hold now is not looked at.
    """
    new, live, subject = crd.new, crd.live, crd.subject
    if live and same(new, live):
        return
    refused = False
    if live:
        for finding in _refusals(kubectl, crd, live, brought):
            refused = refused or finding.severity == "error"
            yield finding
    if refused:
        return
    try:
        taken = apply_crd(kubectl, new, dry_run=True)
    except ClusterError as err:
        yield finding_of(err, subject)
        return
    told = f" ({' and '.join(differences(new, live)) or 'texts only'})" if live else ""
    verb = "is upgraded" if live else "is brought in"
    over = f", with fields that {', '.join(taken)} set" if taken else ""
    what = f"CRD {new.name} {verb} before the release{told}{over}; taking a release back leaves it upgraded"
    yield Finding(subject=subject, what=what, severity="note")


def _refusals(kubectl: Kubectl, crd: ChartCrd, live: Crd, brought: Container[Place]) -> Iterator[Finding]:
    new, subject = crd.new, crd.subject
    lacking = [version for version in live.stored if version not in new.versions]
    if lacking:
        left = ", ".join(f'"{each}"' for each in live.stored if each not in lacking) or f'"{new.served[0]}"'
        yield Finding(
            subject=subject,
            what=f"CRD {new.name} of the chart drops {', '.join(lacking)}, in which objects are stored",
            expected=", ".join(live.stored),
            observed=", ".join(new.versions),
            hint="read the operator's notes on this upgrade; write every object once more "
            f"(kubectl get {new.name} --all-namespaces --output yaml | kubectl replace --filename -), then: "
            f"kubectl patch crd {new.name} --subresource=status --type=merge "
            f'--patch \'{{"status":{{"storedVersions":[{left}]}}}}\'',
        )
        return
    if not dropped_fields(new, live):
        return
    both = [version for version in new.served if version in live.served]
    asked, judged = (both[0], both[0]) if both else (live.served[0], new.served[0])
    plural = new.name.partition(".")[0]
    try:
        things = kubectl.list(f"{plural}.{asked}.{new.group}")
    except ClusterError as err:
        yield Finding(
            subject=subject,
            what=f"not judged: whether objects use fields that CRD {new.name} drops: {err.what}",
            hint=err.hint,
            severity="warning",
        )
        return
    others = (each for each in things if _place(new.kind, each) not in brought)
    used = [told for each in others if (told := _lost(new, live, each, asked=asked, judged=judged))]
    if used:
        yield Finding(
            subject=subject,
            what=f"CRD {new.name} of the chart drops fields that objects in the cluster have: {_some(used, '; ')}",
            hint=f"take them out of these objects (kubectl edit {plural}.{new.group}), or use a bundle with "
            "install.crds: keep",
        )


def _lost(new: Crd, live: Crd, thing: Mapping[str, Any], *, asked: str, judged: str) -> str:
    """What an object would lose; its status is written anew by whoever looks after it."""
    held = {key: value for key, value in thing.items() if key != "status"}
    fields = sorted(set(new.unknown_fields(held, judged)) - set(live.unknown_fields(held, asked)))
    return f"{_named(thing)} {_some(fields)}" if fields else ""


def _place(kind: str, thing: Mapping[str, Any]) -> Place:
    meta = thing.get("metadata") or {}
    return kind, str(meta.get("namespace") or ""), str(meta.get("name"))


def _named(thing: Mapping[str, Any]) -> str:
    meta = thing.get("metadata") or {}
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{thing.get('kind')} {place}{meta.get('name')}"


def _some(texts: list[str], between: str = ", ") -> str:
    more = f"{between}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return between.join(texts[:_SHOWN]) + more
