"""The API server's refusals in a dry run as findings: object, field, what is expected, and what to do."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundle.formats.json_path import KeyPath, place_text
from clients.cluster.errors import spoken
from clients.cluster.manifests import Manifest
from clients.preflight.findings import Finding, Severity
from clients.preflight.objects.dry_run import Answers, Refusal

_CAUSE = re.compile(r"^(?P<field>[A-Za-z][^:\s]*): (?P<what>.*)$", re.S)
_FIXED = re.compile(
    r"immutable|updates to \w+ spec|may not (be )?change|can ?not be (changed|updated|modified)|can't be"
)
_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>\S+), used: (?P<used>\S+), limited: (?P<limited>\S+)"
)
_UNSAID = re.compile(r"failed quota: (?P<quota>[^:]+): (?P<what>.+)")
_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^"]+)": (?P<what>.+)')
_RANGE = re.compile(r"is forbidden: \[?(?P<what>(?:maximum|minimum|max|min)\b.*?)\]?$")
_NO_DRY_RUN = re.compile(r'admission webhook "(?P<name>[^"]+)" does not support dry run')
_UNREACHED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_RIGHTS = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"')
_TYPED = re.compile(r"failed to create typed patch object .*?: \.(?P<field>\S+): (?P<what>.+)")
_STAND_IN = re.compile(r"\.(?:site|env|file|secret|output)\.invalid\b")
_STEP = re.compile(r"[A-Za-z_][\w-]*|\[[0-9]{1,9}\]")
_QUIET = {"env", "args", "command", "data", "stringData", "binaryData"}  # members whose values may be secret
_ALIASES = {"clusterIPs": "clusterIP"}  # what the API server names, and what charts write
_SHOWN = 4  # fields of one object
_LONGEST = 80  # characters of a value
_GONE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The release whose objects were sent; `installed`: it is in the cluster already."""

    name: str
    namespace: str
    installed: bool

    @property
    def subject(self) -> str:
        """Of its findings."""
        return f"release {self.name!r}"


def refused(answers: Answers, owner: Owner, namespace: str) -> Iterator[Finding]:
    """One finding for each cause; what a stand-in for a secret is refused for is none."""
    for refusal in answers.refusals:
        yield from (each for each in _findings(refusal, owner, namespace) if not _STAND_IN.search(str(each)))
    if not owner.installed:
        yield from _foreign(answers, owner, namespace)


def _findings(refusal: Refusal, owner: Owner, namespace: str) -> Iterator[Finding]:
    text, named = spoken(refusal.text), _named(refusal.thing)
    if found := _NO_DRY_RUN.search(text):
        what = f"not judged: what admission webhook {found['name']} says, which supports no dry run ({named})"
        yield Finding(subject=owner.subject, what=what, severity="note")
    elif found := _UNREACHED.search(text):
        what = f"not judged: {named}: admission webhook {found['name']} does not answer: {_tail(text)}"
        hint = "look at the webhook's pods: where it must answer, the install fails too"
        yield Finding(subject=owner.subject, what=what, hint=hint, severity="warning")
    elif found := _RIGHTS.search(text):
        of = "quotas, limits and Pod Security" if refusal.pod else str(refusal.thing.get("kind"))
        what = f"not judged: {of} in namespace {namespace!r}: the account may not {found['verb']} {found['resource']}"
        yield Finding(subject=owner.subject, what=what, severity="note")
    elif not re.search(r"no matches for kind|could not find the requested resource", text):
        yield from _limits(refusal, owner, namespace, text) or _causes(refusal, owner, namespace)


def _limits(refusal: Refusal, owner: Owner, namespace: str, text: str) -> list[Finding]:
    """What the namespace does not allow."""
    named = _named(refusal.thing)
    of = f"of namespace {namespace!r}"
    if found := _QUOTA.search(text):
        severity: Severity = "warning" if refusal.live else "error"  # an upgrade may end older pods first
        return [
            Finding(
                subject=owner.subject,
                what=f"{named}: {'one more pod' if refusal.live else 'it'} exceeds quota {found['quota']!r} {of}",
                expected=f"at most {found['limited']}, of which {found['used']} is used",
                observed=found["requested"],
                hint="ask for a larger quota, or lower what the release requests by its values",
                severity=severity,
            )
        ]
    if found := _UNSAID.search(text):
        return [
            Finding(
                subject=owner.subject,
                what=f"{named}: quota {found['quota']!r} {of}: {found['what']}",
                hint="set resources in the release's values, or ask for a LimitRange with defaults",
            )
        ]
    if found := _SECURITY.search(text):
        return [
            Finding(
                subject=owner.subject,
                what=f"{named}: its pods violate Pod Security {of}",
                expected=found["level"],
                observed=found["what"],
                hint="set securityContext in the release's values, or ask for another level: kubectl label namespace "
                f"{namespace} pod-security.kubernetes.io/enforce=LEVEL",
            )
        ]
    if found := _RANGE.search(text):
        return [
            Finding(
                subject=owner.subject,
                what=f"{named}: its pods are outside the LimitRange {of}: {found['what']}",
                hint=f"change resources in the release's values; kubectl describe limitrange --namespace {namespace}",
            )
        ]
    if found := _TYPED.search(text):
        return [
            Finding(
                subject=owner.subject,
                what=f"{named}: {found['field']}: {found['what']}, and helm 4 refuses it",
                hint="use a bundle with install.crds: upgrade where a CRD has no such field, or correct the values",
            )
        ]
    return []


def _causes(refusal: Refusal, owner: Owner, namespace: str) -> Iterator[Finding]:
    """What is wrong with the object itself, field by field."""
    _, _, said = refusal.text.partition(" is invalid:")
    parts = [part.strip() for part in re.split(r"\n\* ", f"\n{said.strip()}") if part.strip()]
    causes = [found for part in parts if (found := _CAUSE.match(part))]
    if not causes:
        what = f"{_named(refusal.thing)} is refused: {_tail(spoken(refusal.text))}"
        yield Finding(subject=owner.subject, what=what, hint="correct it by the release's values")
    told: set[str] = set()
    for cause in causes:
        if refusal.live and _FIXED.search(cause["what"]):
            for finding in _fixed(refusal, owner, namespace, cause["field"], cause["what"]):
                if finding.what not in told:
                    told.add(finding.what)
                    yield finding
            continue
        what = f"{_named(refusal.thing)}: {cause['field']}: {_tail(cause['what'])}"
        yield Finding(subject=owner.subject, what=what, hint="correct it by the release's values")


def _fixed(refusal: Refusal, owner: Owner, namespace: str, name: str, said: str) -> Iterator[Finding]:
    """Fields of an object in the cluster that can't be changed, each with what it has and what it would get."""
    assert refusal.live is not None  # noqa: S101 - the caller has looked
    path = _path(name)
    allowed = set(re.findall(r"'([A-Za-z.]+)'", said)) if name == "spec" else set()
    changes = [
        change
        for change in _changes(_at(refusal.thing, path), _at(refusal.live, path), path)
        if not (len(change[0]) > 1 and change[0][1] in allowed)
    ]
    hint = _way_out(refusal.thing, namespace)
    for at, old, new in changes[:_SHOWN]:
        quiet = bool(_QUIET & set(map(str, at))) or refusal.thing.get("kind") == "Secret"
        yield Finding(
            subject=owner.subject,
            what=f"{_named(refusal.thing)}: {place_text(at)} can't be changed",
            expected=f"{_shown(old)} as in the cluster" if not quiet else "what the cluster has",
            observed=_shown(new) if not quiet else "something else",
            hint=hint,
        )
    if not changes:
        what = f"{_named(refusal.thing)}: {name} can't be changed: {_tail(said)}"
        yield Finding(subject=owner.subject, what=what, hint=hint)
    elif len(changes) > _SHOWN:
        what = f"{_named(refusal.thing)}: {len(changes) - _SHOWN} more fields can't be changed"
        yield Finding(subject=owner.subject, what=what, hint=hint)


def _foreign(answers: Answers, owner: Owner, namespace: str) -> Iterator[Finding]:
    """Objects that are there without being the release's, which helm does not take."""
    for live in answers.live.values():
        meta = live.get("metadata") or {}
        notes = meta.get("annotations") or {}
        release = (notes.get("meta.helm.sh/release-name"), notes.get("meta.helm.sh/release-namespace"))
        labelled = (meta.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm"
        if labelled and release == (owner.name, owner.namespace):
            continue
        kind, name = str(live.get("kind")).lower(), meta.get("name")
        scope = f" --namespace {meta['namespace']}" if meta.get("namespace") else ""
        belongs = f"release {release[1]}/{release[0]}" if release[0] else "no release"
        yield Finding(
            subject=owner.subject,
            what=f"{_named(live)} is in the cluster already, and helm installs over no object of others",
            expected=f"it belongs to release {owner.namespace}/{owner.name}",
            observed=belongs,
            hint="remove it, or give it to the release: "
            f"kubectl label {kind} {name}{scope} --overwrite app.kubernetes.io/managed-by=Helm && "
            f"kubectl annotate {kind} {name}{scope} --overwrite meta.helm.sh/release-name={owner.name} "
            f"meta.helm.sh/release-namespace={owner.namespace}",
        )


def _way_out(thing: Mapping[str, Any], namespace: str) -> str:
    kind, name = str(thing.get("kind")), (thing.get("metadata") or {}).get("name")
    command = f"kubectl delete {kind.lower()} {name} --namespace {namespace}"
    keep = "keep the value"
    if kind == "StatefulSet":
        return f"{keep}, or let it be made anew, which leaves pods and volumes: {command} --cascade=orphan"
    if kind == "PersistentVolumeClaim":
        return f"{keep}: its data would be lost with it"
    if kind in ("Deployment", "DaemonSet", "ReplicaSet"):
        return f"{keep}, or let it be made anew, which stops its pods: {command}"
    return f"{keep}, or let it be made anew: {command}"


def _path(name: str) -> KeyPath:
    """A field as the API server writes it (`spec.ports[0].port`), as far as it is a path."""
    path: list[str | int] = []
    for part in _STEP.findall(name.partition("[")[0] if re.search(r"\[\D", name) else name):
        path.append(int(part[1:-1]) if part.startswith("[") else _ALIASES.get(part, part))
    return tuple(path[:-1] if isinstance(path[-1], int) else path)


def _at(thing: Any, path: KeyPath) -> Any:
    for key in path:
        try:
            thing = thing[key]
        except (KeyError, IndexError, TypeError):
            return _GONE
    return thing


def _changes(new: Any, old: Any, at: KeyPath) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Where a chart's value says something else than the live one; what it does not say is filled in."""
    if new is _GONE or new is None or new == old:
        return
    if isinstance(new, dict) and isinstance(old, dict):
        for key in new:
            yield from _changes(new[key], old.get(key, _GONE), (*at, key))
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (one, other) in enumerate(zip(new, old, strict=True)):
            yield from _changes(one, other, (*at, index))
    elif str(new) != str(old) and not (old is _GONE and new in ("", [], {}, False, 0)):
        yield at, old, new


def _shown(value: Any) -> str:
    if value is _GONE:
        return "nothing"
    if isinstance(value, dict | list):
        return f"{len(value)} entries" if isinstance(value, list) else "other members"
    return repr(value)[:_LONGEST]


def _tail(text: str) -> str:
    """The words of a refusal without dumps of Go values."""
    words = re.sub(r"Invalid value: \S*\{.*\}: ", "", " ".join(text.split()), flags=re.S)
    return words if len(words) <= 300 else f"{words[:300]}..."


def _named(thing: Manifest) -> str:
    return f"{thing.get('kind')}/{(thing.get('metadata') or {}).get('name')}"
