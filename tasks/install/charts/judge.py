"""All that can be said of the releases before the first change; `preflight` and `plan install` show the same."""

from collections.abc import Iterator, Sequence

from clients.preflight.findings import Findings, Probe, collect
from tasks.install.charts.crds import crd_findings
from tasks.install.charts.dry_run import dry_run_findings
from tasks.install.charts.rendered import RenderedRelease, missing_images, render_releases
from tasks.site.receiver import Receiver


def judge_releases(receiver: Receiver) -> Findings:
    """Why releases can't be rendered for this cluster, and what install would find wrong with those that can.

    An AirgapError when the cluster or helm gives no answer.
    """
    rendered, findings = render_releases(receiver)
    return (*findings, *judge(receiver, rendered))


def judge(receiver: Receiver, rendered: Sequence[RenderedRelease]) -> Findings:
    """What stands in the way of these releases in this cluster; nothing for a rehearsal, whose cluster is empty."""
    return () if receiver.options.rehearsal else collect(_probes(receiver, rendered))


def _probes(receiver: Receiver, rendered: Sequence[RenderedRelease]) -> Iterator[Probe]:
    yield lambda: tuple(missing_images(receiver, rendered))
    yield lambda: tuple(crd_findings(receiver, rendered))
    yield lambda: tuple(dry_run_findings(receiver, rendered))
