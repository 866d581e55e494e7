"""`preflight`: all that could stand in the way of an install, asked for before the first change and told at once."""

from collections.abc import Iterator
from functools import partial

from tasks.runtime.step import GroupUpToDate, Step
from tasks.site.receiver import Receiver

CHANGING = ("load", "push", "namespace", "secret", "action", "helm")


def preflight_steps(receiver: Receiver) -> Iterator[Step]:
    """`preflight`: left out when no step would change anything, unless it is asked for by its name."""
    yield Step(
        base="preflight",
        doc="check the site: disk, registry, cluster, and the spec's own checks",
        action=partial(_preflight, receiver),
        inputs=lambda: None,
        unless=None if _asked(receiver) else GroupUpToDate(CHANGING),
        after=("verify",),
    )


def _asked(receiver: Receiver) -> bool:
    return "preflight" in receiver.options.words


def _preflight(receiver: Receiver) -> None:
    from tasks.install.checks import probe_site  # only a run that changes something needs these
    from tasks.site.records.history import begin

    if not _asked(receiver):
        receiver.claim()
        begin(receiver)
    probe_site(receiver)
