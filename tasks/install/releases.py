"""The steps of Helm releases, and when they are up to date; tasks.install.deploy does their work."""

from collections.abc import Iterator
from functools import partial

from schema.spec.install import InstallSpec, ReleaseSpec
from tasks.runtime.step import Inputs, Step
from tasks.site.receiver import Receiver


def values_steps(receiver: Receiver) -> Iterator[Step]:
    """`values:<release>`: every name in the values has a value, and the chart knows every key."""
    install = receiver.carried.plan.install
    for release in install.releases:
        yield Step(
            base="values",
            name=release.name,
            doc="resolve the release's values",
            action=partial(_check_values, receiver, release),
            inputs=partial(_values_inputs, receiver, release),
            after=["transfer", "secret", *_digests_known(receiver), *_before(install, release)],
        )


def helm_steps(receiver: Receiver) -> Iterator[Step]:
    """`helm:<release>`: the release is deployed, from the bundle's chart with these values."""
    install = receiver.carried.plan.install
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
    for release in receiver.carried.plan.install.releases:
        yield Step(
            base="health",
            name=release.name,
            doc="wait until it is ready and answers",
            action=partial(_prove_health, receiver, release),
            inputs=partial(_release_inputs, receiver, release),
            ready=partial(_ailing, receiver, release),
            follows=(f"helm:{release.name}",),
        )


def _digests_known(receiver: Receiver) -> list[str]:
    """The steps after which the images' digests are known: a Docker Engine makes new ones when it pushes."""
    return ["push"] if receiver.uses_engine else []


def _before(install: InstallSpec, release: ReleaseSpec) -> list[str]:
    """The steps of what a release comes after."""
    actions = {action.name for action in install.actions}
    return [f"action:{name}" if name in actions else f"health:{name}" for name in (*release.needs, *release.after)]


def _values_inputs(receiver: Receiver, release: ReleaseSpec) -> Inputs:
    return {"chart": _chart_digest(receiver, release), "values": receiver.sealed(receiver.values(release).data)}


def _release_inputs(receiver: Receiver, release: ReleaseSpec) -> Inputs:
    found, crds = receiver.cluster.release(release), receiver.carried.spec.install.crds
    asked = {"crds": crds} if crds == "upgrade" else {}  # those that it left alone are brought in
    return {**_values_inputs(receiver, release), "revision": found.revision if found else 0, **asked}


def _chart_digest(receiver: Receiver, release: ReleaseSpec) -> str:
    return next(str(entry.digest) for entry in receiver.carried.bundle.manifest.charts if entry.name == release.chart)


def _not_deployed(receiver: Receiver, release: ReleaseSpec) -> str:
    found = receiver.cluster.release(release)
    if found is None:
        return f"release {release.name!r} is not installed"
    return "" if found.status == "deployed" else f"release {release.name!r} is {found.status}"


def _ailing(receiver: Receiver, release: ReleaseSpec) -> str:
    return "; ".join(receiver.cluster.ailing(release))


def _check_values(receiver: Receiver, release: ReleaseSpec) -> None:
    from tasks.install.deploy import check_values  # what works on a cluster is imported when it does

    check_values(receiver, release)


def _install(receiver: Receiver, release: ReleaseSpec) -> None:
    from tasks.install.deploy import install

    with receiver.cluster.alone(release.namespace):
        install(receiver, release)


def _prove_health(receiver: Receiver, release: ReleaseSpec) -> None:
    from tasks.install.deploy import prove_health

    prove_health(receiver, release)
