"""The commands besides the steps, one table in the order of the work: where each is, what it is for, and on which side.

The checkout's door, that of airgap.pyz, `help` and the completions are made of it. Nothing is imported until a command
is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.runtime.variables import BOTH, CONNECTED, Side

_BUNDLE = ("spec", "out", "state", "since", "engine", "jobs")
_INSTALLED = ("bundle", "site", "state")
_STEPS = ("spec", "bundle", "site", "out", "state", "since")


SCHEMAS: Mapping[str, str] = {  # what `schema` prints, by name: its file; that of a site file is made for the spec
    "airgap": "airgap.schema.json",
    "manifest": "manifest.schema.json",
    "report": "report.schema.json",
    **{name: f"outputs/{name}.schema.json" for name in ("plan", "status", "history", "images", "outdated", "scan")},
    "site": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCommand:
    """`place` is MODULE:CLASS, `purpose` the command's line in `help`, `variables` the names of those that it takes.

    One that is `comparing` takes `since` for what it compares with, not for what the other side has.
    """

    name: str
    place: str
    purpose: str
    reads: str
    writes: str
    variables: tuple[str, ...] = ()
    sides: frozenset[Side] = BOTH
    comparing: bool = False


COMMANDS: Mapping[str, ListedCommand] = {
    each.name: each
    for each in (
        ListedCommand(
            name="init",
            place="tasks.start.init:Init",
            purpose="start a project: airgap.yaml and its surroundings, or made --from a chart, an image list, ...",
            reads="what --from names",
            writes="airgap.yaml, values/, sites/, .gitignore and what plain doit needs, where they are missing",
            variables=(),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="run",
            place="tasks.cli.run:Run",
            purpose="run steps by their names; the word itself can be left out",
            reads="what the steps read",
            writes="what the steps write",
            variables=(*_STEPS, "registry", "engine", "trust", "downgrade", "jobs"),
        ),
        ListedCommand(
            name="images",
            place="tasks.commands.images:Images",
            purpose="list the images that the charts use, and add the missing ones to the spec",
            reads="the spec, charts and their values",
            writes="with --add the spec",
            variables=("spec", "site", "state"),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="adopt",
            place="tasks.commands.adopt:Adopt",
            purpose="import the images and charts of a hand-made bundle as sources of a spec",
            reads="images/*.tar and charts/*.tgz of bundle=",
            writes="the spec",
            variables=("bundle", "spec", "registry"),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="lock",
            place="tasks.commands.lock:LockCommand",
            purpose="update the pins of images, charts and files; the only command that does",
            reads="the sources",
            writes="airgap.lock",
            variables=("spec", "state", "jobs"),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="outdated",
            place="tasks.commands.outdated:Outdated",
            purpose="list newer versions at the sources, and names that stand for other bytes than are pinned",
            reads="the spec, airgap.lock, the sources",
            writes="nothing",
            variables=("spec", "jobs"),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="plan",
            place="tasks.commands.plan:Plan",
            purpose="show what would run and why, and the bytes to download or to push",
            reads="the spec and the state; for an install the registry and the cluster",
            writes="nothing",
            variables=(*_BUNDLE, "bundle", "site", "registry"),
        ),
        ListedCommand(
            name="report",
            place="tasks.commands.review.report:ReportCommand",
            purpose="verify a bundle and write a report for the approver: contents, checks, what is new",
            reads="the bundle, since=",
            writes="NAME-VERSION.report.html and .json",
            variables=("bundle", "since", "trust", "out"),
            comparing=True,
        ),
        ListedCommand(
            name="scan",
            place="tasks.commands.review.scan:Scan",
            purpose="look for known vulnerabilities in the bundle's SBOMs, by grype or trivy",
            reads="the bundle, the scanner's database",
            writes="nothing; with --write the file that it names",
            variables=("bundle", "trust", "site", "state"),
        ),
        ListedCommand(
            name="approve",
            place="tasks.commands.review.approve:Approve",
            purpose="verify a bundle, and add your signature over it for sites that require several",
            reads="the bundle, key=",
            writes="NAME-VERSION.approvals beside the bundle",
            variables=("key", "bundle", "trust", "site", "state"),
        ),
        ListedCommand(
            name="rehearse",
            place="tasks.rehearsal.rehearse:Rehearse",
            purpose="offline test install: build the bundle and install it into a throwaway target without network",
            reads="the spec or bundle=",
            writes="nothing that stays",
            variables=("spec", "bundle", "site", "kubeconfig", "use", "state"),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="publish",
            place="tasks.commands.publish:Publish",
            purpose="push a finished bundle to a registry, as an OCI artifact",
            reads="the bundle",
            writes="the registry that to= names",
            variables=("to", "bundle", "spec", "out", "jobs"),
        ),
        ListedCommand(
            name="fetch",
            place="tasks.commands.publish:Fetch",
            purpose="download a published bundle from a registry, and verify it",
            reads="the registry that from= names",
            writes="the bundle below out=",
            variables=("from", "out", "trust", "jobs"),
        ),
        ListedCommand(
            name="roles",
            place="tasks.commands.installed.roles:Roles",
            purpose="print the Kubernetes roles that an account needs for the install, for kubectl apply",
            reads="the bundle, the cluster",
            writes="nothing",
            variables=_INSTALLED,
        ),
        ListedCommand(
            name="status",
            place="tasks.commands.installed.status:Status",
            purpose="show what is installed, whether it is healthy, and what is left over; as a table, JSON or metrics",
            reads="the receipt, the cluster",
            writes="nothing; with --metrics the file that it names",
            variables=_INSTALLED,
        ),
        ListedCommand(
            name="history",
            place="tasks.commands.installed.history:HistoryCommand",
            purpose="list what was installed, upgraded, rolled back or removed, when, by whom, with what result",
            reads="the state",
            writes="nothing",
            variables=("bundle", "state"),
        ),
        ListedCommand(
            name="diagnose",
            place="tasks.commands.installed.day2:Diagnose",
            purpose="collect logs, events and states of the releases in one archive, and print the likely cause",
            reads="the cluster",
            writes="one archive, without secrets",
            variables=_INSTALLED,
        ),
        ListedCommand(
            name="backup",
            place="tasks.commands.installed.backups.backup:Backup",
            purpose="save values, secrets (encrypted), chart versions, receipt and database dumps in one archive",
            reads="the cluster, databases",
            writes="one archive below out=; with keep= or keep_days= earlier ones are removed",
            variables=("key", "out", "keep", "keep_days", *_INSTALLED),
        ),
        ListedCommand(
            name="restore-test",
            place="tasks.commands.installed.backups.restore_test:RestoreTest",
            purpose="restore the dumps of a backup into scratch databases, and check them",
            reads="archive=, the private key",
            writes="the scratch databases",
            variables=("archive", "key", *_INSTALLED),
        ),
        ListedCommand(
            name="rollback",
            place="tasks.commands.installed.day2:Rollback",
            purpose="roll back all releases that the last install changed",
            reads="the receipt",
            writes="the releases",
            variables=_INSTALLED,
        ),
        ListedCommand(
            name="uninstall",
            place="tasks.commands.installed.uninstall:Uninstall",
            purpose="remove the releases and secrets that install made; asks first",
            reads="the receipt",
            writes="releases and secrets",
            variables=_INSTALLED,
        ),
        ListedCommand(
            name="list",
            place="doit.cmd_list:List",
            purpose="list the steps; with --all --status each one and whether it is up to date",
            reads="the spec or the bundle",
            writes="nothing",
            variables=_STEPS,
        ),
        ListedCommand(
            name="info",
            place="tasks.cli.info:InfoCommand",
            purpose="show a step and why it would run",
            reads="the spec or the bundle",
            writes="nothing",
            variables=_STEPS,
        ),
        ListedCommand(
            name="graph",
            place="tasks.commands.graph:GraphCommand",
            purpose="draw the steps and their order",
            reads="the spec or the bundle",
            writes="nothing",
            variables=_STEPS,
        ),
        ListedCommand(
            name="clean",
            place="tasks.cli.info:CleanCommand",
            purpose="remove what steps wrote",
            reads="the state",
            writes="removes the steps' files",
            variables=_STEPS,
        ),
        ListedCommand(
            name="forget",
            place="doit.cmd_forget:Forget",
            purpose="run steps again although they are up to date",
            reads="the state",
            writes="the state",
            variables=_STEPS,
        ),
        ListedCommand(
            name="ignore",
            place="doit.cmd_ignore:Ignore",
            purpose="leave steps out until they are forgotten",
            reads="the state",
            writes="the state",
            variables=_STEPS,
        ),
        ListedCommand(
            name="schema",
            place="tasks.cli.info:SchemaCommand",
            purpose="print the JSON Schema of airgap.yaml, a site file, manifest.json, report.json or a --json output",
            reads="nothing; for that of a site file the spec",
            writes="nothing",
            variables=("spec",),
            sides=CONNECTED,
        ),
        ListedCommand(
            name="completion",
            place="tasks.cli.help.completion:Completion",
            purpose="print the completion script for bash, zsh or fish",
            reads="nothing",
            writes="nothing",
            variables=(),
        ),
        ListedCommand(
            name="help",
            place="tasks.cli.help.page:HelpCommand",
            purpose="show the commands, or one command or step: what it does, reads and writes",
            reads="nothing",
            writes="nothing",
            variables=(),
        ),
    )
}


def places(side: Side) -> Mapping[str, str]:
    """The commands of one side, by doit's names."""
    return {each.name: each.place for each in COMMANDS.values() if side in each.sides}
