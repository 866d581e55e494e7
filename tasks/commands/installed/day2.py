"""What one does after an install: go back to what was before it, remove it, or find out why it does not come up."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from doit.cmd_base import DoitCmdBase

from bundle.errors import AirgapError, ProblemsError, storage_errors
from bundle.storage.files import writing
from clients.cluster.diagnose import gather, likely_causes
from clients.cluster.release import stands_for, was_deployed
from clients.cluster.rollout import return_to
from clients.cluster.survey import survey
from clients.cluster.waiting import await_ready, let_hooks_end
from schema.spec.install import ReleaseSpec
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS
from tasks.install.deploy import reachable, saying, watch
from tasks.install.receipt import renew_releases
from tasks.site.receiver import Receiver
from tasks.site.records.history import recorded
from tasks.site.records.revisions import Revision, Revisions

_DATABASES = (
    "databases stay as they are: a schema that the newer version has migrated is not taken back by this; if the older "
    "version does not work with it, restore the dump from before the upgrade"
)


class ReceiverCommand(PlainCommand, DoitCmdBase):  # type: ignore[misc]
    """A command about an installation: its errors are told without traceback, exit code 1."""

    def _told(self, work: Any) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        try:
            work(receiver)
        except AirgapError as err:
            receiver.project.console.problem(f"FAILED {self.name}: {err}")
            return 1
        return 0


class Rollback(ReceiverCommand):
    """Returns to the revisions before the last install."""

    name = "rollback"
    doc_purpose = COMMANDS["rollback"].purpose
    doc_usage = ""
    doc_description = (
        "The newest release goes first. A release that the install brought for the first time has nothing to return "
        "to: it is left, and `uninstall` removes it. A database that was migrated is not taken back by this: it stays "
        "as it is, under the older version."
    )

    def _execute(self) -> int:
        return self._told(_rollback)


class Diagnose(ReceiverCommand):
    """Finds out why something does not come up."""

    name = "diagnose"
    doc_purpose = COMMANDS["diagnose"].purpose
    doc_usage = ""
    doc_description = (
        "Release status, pods, events, last log lines, pull secrets against image hosts, addresses. Values of secrets "
        "are never fetched, and what looks like one is masked: the archive may be given to others."
    )

    def _execute(self) -> int:
        return self._told(_diagnose)


def _rollback(receiver: Receiver) -> None:
    receiver.claim()
    revisions = Revisions(receiver.state)
    made = revisions.read()
    if not made:
        raise ProblemsError("there is no install to roll back from: the last one changed no release", [])
    _check_unmoved(receiver, made)
    with recorded(receiver, "rollback"):
        _return_all(receiver, made, revisions)
    revisions.clear()


def _return_all(receiver: Receiver, made: Sequence[Revision], revisions: Revisions) -> None:
    console = receiver.project.console
    specs = {(each.namespace, each.name): each for each in receiver.carried.spec.install.releases}
    try:
        for each in reversed(made):
            if not each.before:
                console.line(f"release {each.name}: was not there before; left as it is")
                continue
            _return(receiver, specs[each.namespace, each.name], each, revisions)
    finally:
        if len(revisions.read()) < len(made):
            renew_releases(receiver)
            console.line(_DATABASES)


def _check_unmoved(receiver: Receiver, made: Sequence[Revision]) -> None:
    """A ProblemsError names the releases that are not what the last install made; one that was taken back is."""
    moved, left = [], []
    for each in made:
        history = receiver.cluster.helm.history(each.name, namespace=each.namespace)
        if stands_for(history, each.after):
            continue
        now = history[-1] if history else None
        moved.append(f"release {each.name!r} is at revision {now.revision if now else 0}, not {each.after}")
        if now and not was_deployed(now):
            moved[-1] += f": {now.status}"
            left.append(each.name)
    hint = "somebody changed it since; see helm history, and roll back by helm"
    if left and len(left) == len(moved):
        hint = "an install was interrupted or could not be taken back: run install again, then rollback"
    if moved:
        raise ProblemsError("the releases are not as the last install left them:", moved, hint=hint)


def _return(receiver: Receiver, release: ReleaseSpec, made: Revision, revisions: Revisions) -> None:
    """Take one release back to its revision before, and look whether it comes up."""
    helm, watching, timeout = receiver.cluster.helm, watch(receiver, release), release.timeout
    before = _revision(receiver, release)
    with saying(receiver, f"release {release.name}") as say:
        let_hooks_end(helm, watching, timeout=timeout, say=say)
        try:
            return_to(helm, watching, made.before, timeout=timeout, say=say)
        finally:
            receiver.cluster.changed_releases()
            now = receiver.cluster.release(release)
            if now and now.revision != before:
                revisions.drop(made)
                told = f"rolled back to revision {made.before} (now revision {now.revision}, chart {now.chart})"
                receiver.project.console.line(f"release {release.name}: {told}")
        if release.health:
            await_ready(watching, timeout=timeout, steady=0, ask=partial(reachable, receiver, release), say=say)
    receiver.project.console.line(f"release {release.name}: ready")


def _revision(receiver: Receiver, release: ReleaseSpec) -> int:
    found = receiver.cluster.release(release)
    return found.revision if found else 0


def _diagnose(receiver: Receiver) -> None:
    console = receiver.project.console
    releases = [(release.name, release.namespace) for release in receiver.carried.spec.install.releases]
    scenes = survey(releases, helm=receiver.cluster.helm, cluster=receiver.cluster.kubectl)
    made = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    here = Path.cwd()
    place = receiver.options.state if receiver.carried.contains(here) else here
    path = place / f"diagnose-{receiver.carried.spec.bundle.name}-{made}.zip"
    with storage_errors("write the diagnosis", path), writing(path, mode=0o600) as file, ZipFile(file, "w") as archive:
        for name, text in sorted(gather(scenes, secrets=receiver.known).items()):
            archive.writestr(f"{path.stem}/{name}", text)
    for cause in likely_causes(scenes, secrets=receiver.known) or ["no problems found"]:
        console.line(cause)
    console.line(f"gathered in {path}")
