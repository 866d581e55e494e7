"""The commands besides doit's own, one table: where each is, what it is for, and on which side it serves.

The checkout's door, that of airgap.pyz and `doit help` are made of it. Nothing is imported until a command is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.runtime.variables import BOTH, CONNECTED, Side


@dataclass(frozen=True, slots=True)
class ListedCommand:
    """`place` is MODULE:CLASS, `purpose` the command's line in `doit help`.

    One that is `comparing` takes `since` for what it compares with, not for what the other side has.
    """

    name: str
    place: str
    purpose: str
    sides: frozenset[Side] = BOTH
    comparing: bool = False


COMMANDS: Mapping[str, ListedCommand] = {
    each.name: each
    for each in (
        ListedCommand("run", "tasks.cli.run:Run", "run tasks"),
        ListedCommand(
            "plan", "tasks.commands.plan:Plan", "show what would run and why, and the bytes to fetch or to send"
        ),
        ListedCommand(
            "rollback",
            "tasks.commands.day2:Rollback",
            "return all releases that the last install changed to their revisions before it",
        ),
        ListedCommand(
            "uninstall",
            "tasks.commands.day2:Uninstall",
            "remove the releases and secrets that install made; asks first",
        ),
        ListedCommand(
            "diagnose",
            "tasks.commands.day2:Diagnose",
            "gather what there is to know of the releases into one archive, and print the likely cause",
        ),
        ListedCommand(
            "backup",
            "tasks.commands.backup:Backup",
            "keep values, secrets (encrypted), chart versions, receipt and database dumps in one archive",
        ),
        ListedCommand(
            "report",
            "tasks.commands.report:ReportCommand",
            "check a bundle and write a report for whoever approves it: contents, proofs, what is new",
            comparing=True,
        ),
        ListedCommand(
            "publish", "tasks.commands.publish:Publish", "put a finished bundle into a registry, as an OCI artifact"
        ),
        ListedCommand(
            "fetch", "tasks.commands.publish:Fetch", "bring a published bundle from a registry, and verify it"
        ),
        ListedCommand("graph", "tasks.commands.graph:GraphCommand", "draw the steps and what they wait for"),
        ListedCommand("info", "tasks.cli.info:InfoCommand", "show info about a task"),
        ListedCommand(
            "dumpdb", "tasks.cli.info:DumpDB", "not here: list --all --status and info STEP tell what is up to date"
        ),
        ListedCommand(
            "rehearse",
            "tasks.rehearsal.rehearse:Rehearse",
            "make the bundle, and install it here into a throwaway target without network",
            sides=CONNECTED,
        ),
        ListedCommand(
            "lock",
            "tasks.commands.lock:LockCommand",
            "pin tags, charts and files anew in airgap.lock; the only command that moves a pin",
            sides=CONNECTED,
        ),
        ListedCommand(
            "images",
            "tasks.commands.images:Images",
            "list the images that the charts use, and add the missing ones to the spec",
            sides=CONNECTED,
        ),
        ListedCommand(
            "adopt",
            "tasks.commands.adopt:Adopt",
            "make a hand-made bundle's images and charts the sources of a spec",
            sides=CONNECTED,
        ),
        ListedCommand(
            "schema",
            "tasks.cli.info:SchemaCommand",
            "print the JSON Schema of airgap.yaml, of a site file, or of a bundle's manifest.json or report.json",
            sides=CONNECTED,
        ),
    )
}


def places(side: Side) -> Mapping[str, str]:
    """The commands of one side, by doit's names."""
    return {each.name: each.place for each in COMMANDS.values() if side in each.sides}
