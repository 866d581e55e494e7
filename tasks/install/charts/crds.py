"""The CRDs of charts' crds/ on upgrade: `install.crds: keep` leaves them as helm does, `upgrade` brings them in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundle.errors import ProblemsError
from clients.cluster.crds import Crd, apply_crd, differences, live_crds, same
from clients.preflight.findings import Finding
from clients.preflight.objects.crds import ChartCrd, Place, kept, upgraded
from schema.spec.install import ReleaseSpec
from tasks.install.charts.rendered import RenderedRelease, render_one, render_releases
from tasks.site.receiver import Receiver


def crd_findings(receiver: Receiver, rendered: Sequence[RenderedRelease]) -> Iterator[Finding]:
    """What becomes of each definition that differs from the cluster's, and why it would be refused."""
    brought = _places(rendered)
    for crd in _crds(receiver, rendered, rendered):
        if receiver.carried.spec.install.crds == "upgrade":
            yield from upgraded(receiver.cluster.kubectl, crd, brought=brought)
        else:
            yield from kept(crd)


def upgrade_crds(receiver: Receiver, release: ReleaseSpec) -> None:
    """Bring in the definitions of a release's chart that differ, as `install.crds: upgrade` wants; say which.

    A ProblemsError, and no change, when one of them would drop what is stored or used.
    """
    kubectl, own = receiver.cluster.kubectl, [render_one(receiver, release)]
    differing = [each for each in _crds(receiver, own, own) if not (each.live and same(each.new, each.live))]
    brought = _places(render_releases(receiver)[0]) if differing else frozenset()
    errors = [each for crd in differing for each in upgraded(kubectl, crd, brought=brought) if each.severity == "error"]
    if errors:
        what = f"release {release.name!r}: its chart's CRDs can't be upgraded, {len(errors)} found:"
        shown = [str(each).removeprefix("error: ") for each in errors]
        raise ProblemsError(what, shown, hint="fix these and run again")
    for crd in differing:
        taken = apply_crd(kubectl, crd.new, dry_run=False)
        told = " and ".join(differences(crd.new, crd.live)) or "texts" if crd.live else "new"
        over = f"; took over fields from {', '.join(taken)}" if taken else ""
        receiver.project.console.line(f"   helm:{release.name}: CRD {crd.new.name} is in now: {told}{over}")


def _crds(
    receiver: Receiver, rendered: Sequence[RenderedRelease], users: Sequence[RenderedRelease]
) -> Iterator[ChartCrd]:
    """Each definition in crds/ of these releases' charts once, with the one that the cluster has."""
    found: dict[str, tuple[RenderedRelease, Crd]] = {}
    for each in rendered:
        for crd in each.objects.crds:
            found.setdefault(crd.name, (each, crd))
    live = live_crds(receiver.cluster.kubectl, found)
    for name, (each, crd) in found.items():
        chart = receiver.carried.chart(each.release.chart).name
        yield ChartCrd(
            subject=f"release {each.release.name!r}",
            new=crd,
            live=live.get(name),
            installed=receiver.cluster.release(each.release) is not None,
            users=tuple(_users(users, group=crd.group, kind=crd.kind)),
            by_hand=f"helm show crds charts/{chart} | kubectl apply --server-side --force-conflicts --filename -",
        )


def _users(rendered: Sequence[RenderedRelease], *, group: str, kind: str) -> Iterator[Mapping[str, Any]]:
    for each in rendered:
        for thing in each.objects.objects:
            if thing.get("kind") == kind and str(thing.get("apiVersion")).partition("/")[0] == group:
                yield thing


def _places(rendered: Sequence[RenderedRelease]) -> frozenset[Place]:
    """The objects that the releases bring up, and those without a namespace of their own in their release's."""
    found = set()
    for each in rendered:
        for thing in each.objects.objects:
            meta = thing.get("metadata") or {}
            place = (str(thing.get("kind")), str(meta.get("name")))
            spaces = {str(meta.get("namespace") or each.release.namespace), ""}
            found |= {(place[0], space, place[1]) for space in spaces}
    return frozenset(found)
