"""`verify`: a bundle is whole and undamaged, be it a directory, an archive or parts; nothing is unpacked or written."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bundle.errors import AirgapError, BundleError
from bundle.opened import fingerprint
from bundle.sizes import human
from bundle.verify import verify
from tasks.assemble import archive_parts
from tasks.console import LocalWork
from tasks.receiver import Receiver
from tasks.step import Inputs, Step


def verify_steps(receiver: Receiver) -> Iterator[Step]:
    """`verify`: always when it is asked for by its name; before an install only when the bundle's files have changed.

    How that is known: names, sizes, times and inodes of all files are those of the last good verification.
    """
    yield Step(
        base="verify",
        doc="check a bundle (bundle=PATH: a directory, an archive or its first part)",
        action=partial(_verify, receiver),
        inputs=partial(_inputs, receiver),
        ready=partial(_must, receiver),
    )


def _must(receiver: Receiver) -> str:
    if _asked(receiver):
        return "it is asked for"
    return "" if receiver.has_plan else "the bundle does not tell its steps"


def _asked(receiver: Receiver) -> bool:
    return "verify" in receiver.options.words


def _inputs(receiver: Receiver) -> Inputs:
    base = receiver.project.base
    found = {str(path): str(fingerprint(path)) for path in _bundles(receiver)}
    return {**found, "since": str(base.fingerprint)} if base else found


def _verify(receiver: Receiver) -> None:
    good, bad = [], []
    for path in _bundles(receiver):
        try:
            report = verify(path, meter=LocalWork(receiver.project.console), base=receiver.project.base)
            report.raise_if_bad()
            if path == receiver.options.bundle:
                receiver.plan_spec  # noqa: B018 - undamaged, it may still be of another format
        except AirgapError as err:
            bad.append(str(err))
        else:
            notes = "".join(f"; {note}" for note in report.notes)
            good.append(f"{path}: {report.files} files, {human(report.size)}, all as their checksums say{notes}")
    receiver.project.note("verify", "; ".join(good))
    if bad:
        raise BundleError("\n".join(bad), [])


def _bundles(receiver: Receiver) -> tuple[Path, ...]:
    """The named bundle, else the spec's: when asked for, its archive too."""
    project = receiver.project
    if receiver.options.bundle or not _asked(receiver):
        return (receiver.path,)
    return (project.directory, *archive_parts(project)[:1])
