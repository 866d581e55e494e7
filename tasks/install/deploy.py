"""Helm releases: values resolved, the release installed or upgraded while it is looked after, its health proven."""

import time
from collections.abc import Sequence
from typing import Any

from bundle.errors import ReleaseError
from clients.cluster.rollout import Watch, install_release, unready_workloads
from clients.preflight.findings import Findings
from clients.preflight.probes import http
from clients.programs.process import masked
from schema.spec.checks import HealthSpec
from schema.spec.install import ReleaseSpec
from schema.syntax import template
from schema.values.chart import ChartValues
from schema.values.rendered import rendered_file
from schema.values.unknown_keys import unknown_keys
from tasks.site.receiver import Receiver
from tasks.site.revisions import Revisions

_PAUSE = 3.0  # seconds between two looks at a release's health


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
    helm, console, bundle = receiver.cluster.helm, receiver.project.console, receiver.carried.bundle.manifest
    before = receiver.cluster.release(release)
    if before and before.is_pending:
        told = helm.recover(release.name, namespace=release.namespace, timeout=release.timeout)
        receiver.cluster.changed_releases()
        before = receiver.cluster.release(release)
        console.line(f"   {told}")
    watching = Watch(
        release.name, namespace=release.namespace, cluster=receiver.cluster.kubectl, secrets=receiver.known
    )
    values = receiver.values(release)
    with rendered_file(values.data) as path:
        try:
            now = install_release(
                helm,
                watching,
                release.name,
                receiver.carried.chart(release.chart),
                namespace=release.namespace,
                values=path,
                timeout=release.timeout,
                description=f"bundle {bundle.name} {bundle.version}",
            )
        finally:
            receiver.cluster.changed_releases()
    revisions = Revisions(receiver.state)
    revisions.note(release, before=before.revision if before else 0, after=now.revision, run=receiver.run)
    was = f"upgraded from revision {before.revision} to" if before else "installed as"
    receiver.project.note(f"helm:{release.name}", f"{was} {now.revision}, chart {now.chart}")


def prove_health(receiver: Receiver, release: ReleaseSpec) -> None:
    """Wait until workloads are ready and addresses answer; a ReleaseError tells what does not by the time-out."""
    deadline = time.monotonic() + release.timeout
    while found := _ailments(receiver, release):
        if time.monotonic() > deadline:
            raise ReleaseError(
                f"release {release.name!r} is installed, but not healthy after {release.timeout} s: {'; '.join(found)}",
                hint="doit diagnose gathers what there is to know",
            )
        time.sleep(_PAUSE)
    addresses = ", ".join(_text(receiver, item.url) for item in release.health)
    receiver.project.note(f"health:{release.name}", f"ready{'; ' + addresses if addresses else ''}")


def _ailments(receiver: Receiver, release: ReleaseSpec) -> Sequence[str]:
    lacking = unready_workloads(receiver.cluster.kubectl, release.name, namespace=release.namespace)
    if lacking:
        return lacking
    findings = [finding for item in release.health for finding in _ask(receiver, item)]
    return [masked(str(finding), receiver.known) for finding in findings]


def _ask(receiver: Receiver, item: HealthSpec) -> Findings:
    members = {name: _text(receiver, value) for name, value in item.json.items()}
    text = _text(receiver, item.text)
    return http(_text(receiver, item.url), ca=item.ca, status=item.status, text=text, members=members)


def _text(receiver: Receiver, written: str) -> str:
    found: Any = template.render(template.parse(written), receiver.facts)
    return template.in_text(found)
