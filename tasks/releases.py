"""Helm releases: values resolved, the release installed or upgraded while it is looked after, its health proven."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from bundle.errors import ReleaseError
from clients.probes import http
from clients.rollout import Watch, install_release, unready_workloads
from schema import template
from schema.chart_values import ChartValues
from schema.install import HealthSpec, InstallSpec, ReleaseSpec
from schema.rendered import rendered_file
from schema.unknown_keys import unknown_keys
from tasks.receiver import Receiver
from tasks.revisions import Revisions
from tasks.step import Inputs, Step

_PAUSE = 3.0  # seconds between two looks at a release's health


def values_steps(receiver: Receiver) -> Iterator[Step]:
    """`values:<release>`: every name in the values has a value, and the chart knows every key."""
    install = receiver.plan_spec.install
    for release in install.releases:
        yield Step(
            base="values",
            name=release.name,
            doc="resolve the release's values",
            action=partial(_check_values, receiver, release),
            inputs=partial(_values_inputs, receiver, release),
            after=["verify", "preflight", "secret", *_before(install, release)],
        )


def helm_steps(receiver: Receiver) -> Iterator[Step]:
    """`helm:<release>`: the release is deployed, from the bundle's chart with these values."""
    install = receiver.plan_spec.install
    for release in install.releases:
        yield Step(
            base="helm",
            name=release.name,
            doc=f"install or upgrade it in namespace {release.namespace}",
            action=partial(_install, receiver, release),
            inputs=partial(_release_inputs, receiver, release),
            ready=partial(_not_deployed, receiver, release),
            after=["push", f"namespace:{release.namespace}", f"values:{release.name}", *_before(install, release)],
        )


def health_steps(receiver: Receiver) -> Iterator[Step]:
    """`health:<release>`: its workloads are ready and its addresses answer as they should."""
    for release in receiver.plan_spec.install.releases:
        yield Step(
            base="health",
            name=release.name,
            doc="wait until it is ready and answers",
            action=partial(_prove_health, receiver, release),
            inputs=partial(_release_inputs, receiver, release),
            follows=(f"helm:{release.name}",),
        )


def _before(install: InstallSpec, release: ReleaseSpec) -> list[str]:
    """The steps of what a release comes after."""
    actions = {action.name for action in install.actions}
    return [f"action:{name}" if name in actions else f"health:{name}" for name in (*release.needs, *release.after)]


def _values_inputs(receiver: Receiver, release: ReleaseSpec) -> Inputs:
    return {"chart": _chart_digest(receiver, release), "values": receiver.sealed(receiver.values(release).data)}


def _release_inputs(receiver: Receiver, release: ReleaseSpec) -> Inputs:
    found = receiver.release(release)
    return {**_values_inputs(receiver, release), "revision": found.revision if found else 0}


def _chart_digest(receiver: Receiver, release: ReleaseSpec) -> str:
    return next(str(entry.digest) for entry in receiver.bundle.manifest.charts if entry.name == release.chart)


def _not_deployed(receiver: Receiver, release: ReleaseSpec) -> str:
    found = receiver.release(release)
    if found is None:
        return f"release {release.name!r} is not installed"
    return "" if found.status == "deployed" else f"release {release.name!r} is {found.status}"


def _check_values(receiver: Receiver, release: ReleaseSpec) -> None:
    values = receiver.values(release)
    chart = ChartValues.read(receiver.chart(release.chart).read_bytes(), subject=f"chart {release.chart!r}")
    warnings = unknown_keys(values, chart)
    for warning in warnings:
        receiver.project.console.line(f"   warning: release {release.name!r}: {warning}")
    told = f", {len(warnings)} unknown to the chart" if warnings else ""
    receiver.project.note(f"values:{release.name}", f"{len(release.values)} files resolved{told}")


def _install(receiver: Receiver, release: ReleaseSpec) -> None:
    helm, console = receiver.helm, receiver.project.console
    before = receiver.release(release)
    if before and before.is_pending:
        told = helm.recover(release.name, namespace=release.namespace, timeout=release.timeout)
        receiver.changed_releases()
        before = receiver.release(release)
        console.line(f"   {told}")
    watching = Watch(release.name, namespace=release.namespace, cluster=receiver.kubectl, secrets=receiver.known)
    values = receiver.values(release)
    with rendered_file(values.data) as path:
        try:
            now = install_release(
                helm,
                watching,
                release.name,
                receiver.chart(release.chart),
                namespace=release.namespace,
                values=path,
                timeout=release.timeout,
                description=f"bundle {receiver.bundle.manifest.name} {receiver.bundle.manifest.version}",
            )
        finally:
            receiver.changed_releases()
    revisions = Revisions(receiver.state)
    revisions.note(release, before=before.revision if before else 0, after=now.revision, run=receiver.run)
    was = f"upgraded from revision {before.revision} to" if before else "installed as"
    receiver.project.note(f"helm:{release.name}", f"{was} {now.revision}, chart {now.chart}")


def _prove_health(receiver: Receiver, release: ReleaseSpec) -> None:
    deadline = time.monotonic() + release.timeout
    while found := _ailments(receiver, release):
        if time.monotonic() > deadline:
            raise ReleaseError(
                f"release {release.name!r} is installed, but not healthy after {release.timeout} s: {'; '.join(found)}",
                hint="doit diagnose gathers what there is to know",
            )
        time.sleep(_PAUSE)
    addresses = ", ".join(_address(receiver, item) for item in release.health)
    receiver.project.note(f"health:{release.name}", f"ready{'; ' + addresses if addresses else ''}")


def _ailments(receiver: Receiver, release: ReleaseSpec) -> Sequence[str]:
    lacking = unready_workloads(receiver.kubectl, release.name, namespace=release.namespace)
    if lacking:
        return lacking
    findings = [
        finding
        for item in release.health
        for finding in http(_address(receiver, item), ca=item.ca, status=item.status, text=item.text)
    ]
    return [str(finding) for finding in findings]


def _address(receiver: Receiver, item: HealthSpec) -> str:
    found: Any = template.render(template.parse(item.url), receiver.facts)
    return template.in_text(found)
