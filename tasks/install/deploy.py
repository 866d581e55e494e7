"""Helm releases: values resolved, the release installed or upgraded while it is looked after, its health proven."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from clients.cluster.pods.watch import Watch
from clients.cluster.release import Release, was_deployed
from clients.cluster.rollout import install_release
from clients.cluster.waiting import Answers, Say, await_ready, let_hooks_end
from clients.preflight.findings import Finding, Findings
from clients.preflight.probes import http
from clients.programs.process import masked
from schema.spec.checks import HealthSpec
from schema.spec.install import ReleaseSpec
from schema.syntax import template
from schema.values.chart import ChartValues
from schema.values.rendered import rendered_file
from schema.values.unknown_keys import unknown_keys
from tasks.install.charts.crds import upgrade_crds
from tasks.site.receiver import Receiver
from tasks.site.records.revisions import Revisions


def check_values(receiver: Receiver, release: ReleaseSpec) -> None:
    """Resolve a release's values, and warn of keys that the chart does not have."""
    values = receiver.values(release)
    chart = ChartValues.read(receiver.carried.chart(release.chart).read_bytes(), subject=f"chart {release.chart!r}")
    warnings = unknown_keys(values, chart)
    for warning in warnings:
        receiver.project.console.line(f"   warning: release {release.name!r}: {warning}")
    told = f", {len(warnings)} unknown to the chart" if warnings else ""
    receiver.project.note(f"values:{release.name}", f"{len(release.values)} files resolved{told}")


def install(receiver: Receiver, release: ReleaseSpec) -> None:
    """Install or upgrade a release and look after it; what an interrupted helm left is freed first."""
    helm, revisions = receiver.cluster.helm, Revisions(receiver.state)
    before, watching, step = receiver.cluster.release(release), watch(receiver, release), f"helm:{release.name}"
    try:
        with saying(receiver, step) as say:
            if before and before.is_pending:
                let_hooks_end(helm, watching, timeout=release.timeout, say=say)
                told = helm.recover(release.name, namespace=release.namespace, timeout=release.timeout)
                receiver.cluster.changed_releases()
                before = receiver.cluster.release(release)
                receiver.project.console.line(f"   {told}")
            if receiver.carried.spec.install.crds == "upgrade":
                upgrade_crds(receiver, release)
            origin = _origin(receiver, release, before)
            revisions.begin(release, before=origin)
            with rendered_file(receiver.values(release).data) as path:
                now = install_release(
                    helm,
                    watching,
                    receiver.carried.chart(release.chart),
                    before=before.revision if before else 0,
                    values=path,
                    timeout=release.timeout,
                    description=_description(receiver),
                    skip_schema=bool(release.skip_schema_validation),
                    say=say,
                )
    finally:
        receiver.cluster.changed_releases()
    revisions.note(release, before=origin, after=now.revision, run=receiver.run)
    was = f"upgraded from revision {before.revision} to" if before else "installed as"
    receiver.project.note(step, f"{was} {now.revision}, chart {now.chart}")


def _origin(receiver: Receiver, release: ReleaseSpec, now: Release | None) -> int:
    """The revision to return to: what is there now, or was before a run that ended when helm had deployed ours."""
    if now is None:
        return 0
    begun = Revisions(receiver.state).begun(release)
    if begun is None or begun >= now.revision:
        return now.revision
    history = receiver.cluster.helm.history(release.name, namespace=release.namespace)
    since = [each for each in history if each.revision > begun and was_deployed(each)]
    ours = since and all(each.description == _description(receiver) for each in since)
    return begun if ours else now.revision


def _description(receiver: Receiver) -> str:
    """What the history of helm says of a revision that this bundle made."""
    bundle = receiver.carried.bundle.manifest
    return f"bundle {bundle.name} {bundle.version}"


def prove_health(receiver: Receiver, release: ReleaseSpec) -> None:
    """Wait until pods stay ready and addresses answer as they should; a ReleaseError tells what does not in time."""
    watching, step = watch(receiver, release), f"health:{release.name}"
    with saying(receiver, step) as say:
        await_ready(
            watching,
            timeout=release.timeout,
            steady=release.steady,
            ask=partial(_answers, receiver, release) if release.health else None,
            say=say,
        )
    addresses = ", ".join(_text(receiver, item.url) for item in release.health)
    receiver.project.note(step, f"ready{'; ' + addresses if addresses else ''}")


def watch(receiver: Receiver, release: ReleaseSpec) -> Watch:
    """What looks after a release; it knows how long the pods have been ready in this run."""
    return Watch(
        release.name,
        namespace=release.namespace,
        cluster=receiver.cluster.kubectl,
        secrets=receiver.known,
        steadiness=receiver.cluster.steadiness(release),
    )


@contextmanager
def saying(receiver: Receiver, subject: str) -> Iterator[Say]:
    """Have what the body waits for shown, and taken away when it has ended."""
    console = receiver.project.console
    try:
        yield partial(console.waiting, subject)
    finally:
        console.waiting(subject, "")


def reachable(receiver: Receiver, release: ReleaseSpec) -> Answers:
    """What is wrong with a release's addresses apart from the content of their answers, which a version changes."""
    found = (http(_text(receiver, item.url), ca=item.ca, status=item.status) for item in release.health)
    return [_answer(receiver, finding) for findings in found for finding in findings]


def _answers(receiver: Receiver, release: ReleaseSpec) -> Answers:
    return [_answer(receiver, finding) for item in release.health for finding in _ask(receiver, item)]


def _answer(receiver: Receiver, finding: Finding) -> tuple[str, str]:
    """A finding as what is wrong and the next step."""
    what = str(replace(finding, hint="")).removeprefix(f"{finding.severity}: ")
    return masked(what, receiver.known), masked(finding.hint, receiver.known)


def _ask(receiver: Receiver, item: HealthSpec) -> Findings:
    members = {name: _text(receiver, value) for name, value in item.json.items()}
    text = _text(receiver, item.text)
    return http(_text(receiver, item.url), ca=item.ca, status=item.status, text=text, members=members)


def _text(receiver: Receiver, written: str) -> str:
    found: Any = template.render(template.parse(written), receiver.facts)
    return template.in_text(found)
