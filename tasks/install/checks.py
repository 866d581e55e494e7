"""The checks of `preflight`: disk, registry, facts and secrets, cluster and helm, and the spec's own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from bundle.errors import AirgapError, ClusterError, FormatError, MissingToolError, ProblemsError, SpecError
from bundle.formats import strict_json
from bundle.formats.x509 import out_of_date
from bundle.oci.platform import chosen
from clients.preflight.cluster import cluster
from clients.preflight.databases import mysql, postgres
from clients.preflight.dns import dns
from clients.preflight.findings import Finding, Findings, Probe, Severity, collect, finding_of
from clients.preflight.needs import ClusterNeeds
from clients.preflight.probes import http, not_from_pod, tcp
from clients.preflight.site import disk
from clients.preflight.tls import tls
from clients.programs.process import masked, run
from schema.site.secrets import read_data
from schema.site.tls_pair import check_pair
from schema.spec.checks import CheckSpec
from schema.spec.install import ReleaseSpec, SecretSpec
from schema.syntax import template
from schema.values.placeholders import Placeholder, placeholders
from schema.values.values import without_secrets
from tasks.install.charts.judge import judge
from tasks.install.charts.rendered import RenderedRelease, brought_kinds, joined, render_releases
from tasks.site.derivation import Derivation
from tasks.site.receiver import Receiver
from tasks.site.records.last_backup import missing_backups

_T = TypeVar("_T")
_RUN_SECONDS = 60.0  # for a check of the spec's own
_SITE = "AIRGAP_SITE"  # where it finds what the site file says


def probe_site(receiver: Receiver) -> None:
    """Make every check; a ProblemsError tells all errors, warnings are shown."""
    findings = collect(_probes(receiver))
    errors = [finding for finding in findings if finding.severity == "error"]
    for finding in findings:
        if finding.severity != "error":
            for line in str(finding).splitlines():
                receiver.project.console.line(f"   {line}")
    if errors:
        shown = [str(finding).removeprefix("error: ") for finding in errors]
        hint = "fix these and run it again" if len(errors) > 1 else ""
        raise ProblemsError(f"the site is not ready, {len(errors)} found:", shown, hint=hint)
    warnings = sum(finding.severity == "warning" for finding in findings)
    receiver.project.note("preflight", f"ready, {warnings} warnings" if warnings else "ready")


def _probes(receiver: Receiver) -> Iterator[Probe]:
    spec, manifest = receiver.carried.spec, receiver.carried.bundle.manifest
    small = sum(chart.size for chart in manifest.charts) + sum(file.size for file in manifest.files if file.tool)
    yield lambda: disk({receiver.options.state: small + 10_000_000})
    yield receiver.crossing.findings
    yield partial(_left_out, receiver)
    yield partial(_facts, receiver)
    yield from (partial(_authorities, receiver, derivation) for derivation in receiver.derivations.values())
    yield from (partial(_secret, receiver, secret) for secret in spec.install.secrets if not secret.generate)
    if spec.install.releases or spec.install.secrets:
        yield partial(_cluster, receiver)
        yield partial(_helm, receiver)
    if not receiver.options.rehearsal:
        yield partial(_programs, receiver)
    if spec.install.backup.before_upgrade:
        yield partial(_backups, receiver)
    for check in spec.install.checks:
        yield partial(check_findings, receiver, check)


def _left_out(receiver: Receiver) -> Findings:
    """What a delta leaves out is in the registry, unless the images that need it are there as they are."""
    if receiver.crossing.inside is None:
        return ()
    try:
        lacking = list(receiver.crossing.inside.lacking())
    except AirgapError:  # why the registry does not answer is told once, by its own findings
        return ()
    return tuple(finding_of(err, f"image {entry.name!r}") for entry, err in lacking)


def _cluster(receiver: Receiver) -> Findings:
    try:
        rendered, findings = render_releases(receiver)
    except AirgapError as err:  # no cluster, no helm: what is known without them is looked at all the same
        rendered, findings = [], () if isinstance(err, ClusterError | MissingToolError) else (finding_of(err, "helm"),)
    try:
        needs = cluster_needs(receiver, rendered)
        return (*findings, *judge(receiver, rendered), *cluster(receiver.cluster.kubectl, needs))
    except AirgapError as err:
        return (*findings, finding_of(err, "cluster"))


def cluster_needs(receiver: Receiver, rendered: Sequence[RenderedRelease]) -> ClusterNeeds:
    """What the installation needs of the cluster, as far as its releases could be rendered."""
    wanted = receiver.carried.spec.install.kubernetes
    brought, late = brought_kinds(rendered, receiver.carried.spec.install)
    made = {(secret.name, place) for secret in receiver.carried.spec.install.secrets for place in secret.namespaces}
    return ClusterNeeds(
        min_version=wanted.min_version,
        namespaces=receiver.carried.plan.install.namespaces,
        kinds=joined(each.objects.kinds for each in rendered),
        brought=brought,
        late=late,
        api_versions=() if receiver.options.rehearsal else wanted.api_versions,
        platforms={e.name: chosen(e.platform) for e in receiver.carried.bundle.manifest.images if e.platform},
        ingress_class=_told(receiver, wanted.ingress_class),
        storage_class=_told(receiver, wanted.storage_class),
        pull_secrets={
            place: {name for name in names if (name, place) not in made}
            for place, names in joined(each.objects.pull_secrets for each in rendered).items()
        },
        image_host=next((each.host for each in receiver.images.references.values()), ""),
    )


def _told(receiver: Receiver, text: str) -> str:
    """A template with the site's settings; empty where one is missing, which `_facts` reports once."""
    return _filled(receiver, text) or ""


def _filled(receiver: Receiver, text: str) -> str | None:
    """As `_told`, and None where a setting is missing."""
    try:
        return template.in_text(template.render(template.parse(text), receiver.facts_at_hand))
    except FormatError:
        return None


def _helm(receiver: Receiver) -> Findings:
    try:
        receiver.cluster.helm.version()
    except AirgapError as err:
        return (finding_of(err, "helm"),)
    return ()


def _facts(receiver: Receiver) -> Findings:
    """Facts, environment and files that are missing, and values that nobody has filled in.

    A rehearsal only warns of those: it has placeholders of its own for what nobody knows yet.
    """
    found: list[Finding] = []
    try:
        receiver.environment()
    except SpecError as err:
        found += _each("values", err)
    severity: Severity = "warning" if receiver.options.rehearsal else "error"
    lookup, incomplete = without_secrets(receiver.facts_at_hand), bool(found)
    for release in receiver.carried.spec.install.releases:
        try:
            left = placeholders(receiver.values(release, lookup))
        except (SpecError, FormatError) as err:
            found += () if incomplete else _each("values", err)
            continue
        found += [replace(_not_filled_in(receiver, release, each), severity=severity) for each in left]
    return tuple(found)


def _not_filled_in(receiver: Receiver, release: ReleaseSpec, left: Placeholder) -> Finding:
    """An example that is left: of the setting that it comes from, whatever uses it; else of the values file."""
    site = receiver.site_file
    for name in site.names():
        if left.found in str(site.found(name)):
            what = f"{name} is still the example value {site.found(name)!r}"
            return Finding(subject=site.label, what=what, hint=f"write the real value into {site.label}")
    hint = "the values file is in the bundle: have it corrected on the connected side, and the bundle built again"
    if site.label and left.place.startswith(site.label):  # one of its overrides
        hint = f"write the real value into {site.label}"
    return Finding(subject=f"release {release.name!r}", what=str(left), hint=hint)


def _each(subject: str, err: SpecError | FormatError) -> Iterator[Finding]:
    problems = err.problems if isinstance(err, SpecError) else ()
    return (Finding(subject=subject, what=problem, hint=err.hint) for problem in problems or (err.what,))


def _programs(receiver: Receiver) -> Findings:
    """The programs that actions and backups start are there; without one for a backup only that can't be made."""
    install = receiver.carried.spec.install
    started = [(f"action {each.name!r}", each.run[0]) for each in install.actions]
    dumps = [(f"backup {each.name!r}", each.run[0]) for each in install.backup.commands]
    sealing = [("backup", "openssl")] if dumps or install.backup.before_upgrade else []
    findings = []
    for subject, word in (*started, *dumps, *sealing):
        program = _told(receiver, word)
        if not program or "/" in program:  # a fact is missing, or it comes with the bundle
            continue
        try:
            receiver.cluster.programs.find(program)
        except MissingToolError as err:
            severity: Severity = "error" if subject.startswith("action") else "warning"
            findings.append(replace(finding_of(err, subject), severity=severity))
    return tuple(findings)


def _backups(receiver: Receiver) -> Findings:
    """A fresh backup of each release that is not upgraded without one."""
    try:
        return tuple(missing_backups(receiver, now=datetime.now(UTC)))
    except AirgapError as err:
        return (finding_of(err, "backup"),)


def _authorities(receiver: Receiver, derivation: Derivation) -> Findings:
    """The certificates of a derived image are there and valid now."""
    try:
        told = out_of_date(derivation.authorities, datetime.now(UTC))
    except SpecError:  # what is missing is told once, by _facts
        return ()
    except AirgapError as err:
        return (finding_of(err, derivation.subject),)
    hint = "give the authority's present certificate"
    return tuple(Finding(subject=derivation.subject, what=f"'add_ca': {each}", hint=hint) for each in told)


def _secret(receiver: Receiver, secret: SecretSpec) -> Findings:
    """A secret's values are there; a certificate and its key serve its hosts now, for whoever trusts the site's CA."""
    if any(_filled(receiver, text) is None for text in (*secret.data.values(), *secret.hosts, secret.ca)):
        return ()  # what is missing is told once, by _facts
    subject = f"secret {secret.name!r}"
    try:
        data = read_data(secret, receiver.facts_at_hand, receiver.known)
        if secret.type == "tls":
            check_pair(
                subject,
                data["certificate"],
                data["key"],
                now=datetime.now(UTC),
                hosts=[_told(receiver, host) for host in secret.hosts],
                min_days=secret.min_days,
                ca=_told(receiver, secret.ca),
            )
    except AirgapError as err:
        return (finding_of(err, subject),)
    return ()


def check_findings(receiver: Receiver, check: CheckSpec) -> Findings:
    """What one check of the spec finds; nothing where a setting that it needs is missing, which `_facts` reports."""
    subject, words = _filled(receiver, check.subject), [_filled(receiver, word) for word in check.run]
    if subject is None or None in words:
        return ()
    argv = [word for word in words if word is not None]
    probes: dict[str, Probe] = {
        "dns": lambda: dns(subject),
        "tcp": lambda: tcp(subject),
        "http": lambda: http(subject, ca=check.ca, status=check.status),
        "tls": lambda: tls(subject, ca=check.ca, min_days=check.min_days),
        "mysql": lambda: mysql(subject, min_version=check.min_version),
        "postgres": lambda: postgres(subject),
        "database": lambda: _database(subject, check.min_version),
        "run": lambda: _run(receiver, check, argv),
    }
    warning = (not_from_pod(check.kind, subject),) if check.from_pod else ()
    return (*probes[check.kind](), *warning)


def _database(address: str, min_version: str) -> Findings:
    """What `mysql` or `postgres` finds, whichever the address names."""
    kind, _, target = address.partition("://")
    if kind == "mysql":
        return mysql(target, min_version=min_version)
    if kind in ("postgres", "postgresql"):
        return postgres(target)
    hint = "write mysql://HOST[:PORT] or postgres://HOST[:PORT]"
    return (
        Finding(subject=f"database {address}", what=f"unsupported database type {kind!r} (mysql, postgres)", hint=hint),
    )


def _run(receiver: Receiver, check: CheckSpec, argv: list[str]) -> Findings:
    """What a check of the spec's own says: each line of its standard error, an error when it fails, else a warning."""
    base = receiver.carried.base
    subject = f"check {next((word for word in check.run if '/' in word or '.' in word), check.run[0])}"
    if "/" in argv[0] and (base / argv[0]).is_file():
        argv[0] = str((base / argv[0]).absolute())
    env = {**receiver.cluster.programs.env, _SITE: strict_json.canonical(receiver.site.plain(), escaped=True).decode()}
    done = run(argv, subject=subject, timeout=_RUN_SECONDS, env=env, cwd=base, tied=True)
    lines = [line.strip() for line in masked(done.stderr, receiver.known).splitlines() if line.strip()]
    if done.code and not lines:
        lines = [f"it failed with exit code {done.code}, and said nothing"]
    parts = [line.partition(" next: ") for line in lines]
    severity: Severity = "error" if done.code else "warning"
    return tuple(Finding(subject=subject, what=what, hint=hint, severity=severity) for what, _, hint in parts)
