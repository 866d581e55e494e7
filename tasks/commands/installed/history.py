"""`doit history`: what was done here, when, by whom, and with what result."""

from collections.abc import Iterator, Sequence

from doit.cmd_base import DoitCmdBase

from bundle.formats import strict_json
from tasks.cli.command import FlagsAnywhere
from tasks.cli.commands import COMMANDS
from tasks.site.receiver import Receiver
from tasks.site.records.history import HistoryEntry, all_histories

_JSON = {"name": "as_json", "long": "json", "type": bool, "default": False, "help": "print the history as JSON"}
_FORMAT_VERSION = 1
_HEAD = ("TIME", "APPLICATION", "WHAT", "VERSION", "RESULT", "WHO", "WHERE")
_RESULTS = {"begun": "not finished"}


class HistoryCommand(FlagsAnywhere, DoitCmdBase):  # type: ignore[misc]
    """Lists the runs that the state remembers."""

    name = "history"
    doc_purpose = COMMANDS["history"].purpose
    doc_usage = "[--json]"
    doc_description = (
        "Installs, upgrades, rollbacks and uninstalls of this application on every cluster and registry that the state "
        "knows, oldest first; nothing is asked of them. `not finished` is a run that goes on, or was killed."
    )
    cmd_options = (_JSON,)

    def _execute(self, as_json: bool) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        console, entries = receiver.project.console, tuple(_entries(receiver))
        if as_json:
            data = {"format": _FORMAT_VERSION, "history": [each.to_dict() for each in entries]}
            console.text(strict_json.readable(data).decode().rstrip())
        elif entries:
            console.table([_HEAD, *map(_row, entries)])
        else:
            console.line(f"nothing was installed yet, as far as {receiver.options.state} tells")
        return 0


def _entries(receiver: Receiver) -> Iterator[HistoryEntry]:
    """Those of this application; of all, where the bundle does not tell which this is."""
    name = receiver.carried.plan.bundle.name if receiver.carried.has_plan else ""
    yield from (each for each in all_histories(receiver.options.state) if name in ("", each.name))


def _row(entry: HistoryEntry) -> Sequence[str]:
    moved = entry.before and entry.before != entry.version and entry.what in ("upgrade", "downgrade")
    version = f"{entry.before} -> {entry.version}" if moved else entry.version
    problem = entry.problem.partition("\n")[0]
    result = _RESULTS.get(entry.result, entry.result)
    return (
        f"{entry.time:%Y-%m-%d %H:%M}Z",
        entry.name,
        entry.what,
        version,
        f"{result}: {problem}" if problem else result,
        entry.who,
        entry.cluster or entry.registry,
    )
