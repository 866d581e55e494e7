"""`doit info STEP` and `doit dumpdb`, where doit's own would end in a traceback."""

from typing import Any

from doit.cmd_info import Info
from doit.exceptions import InvalidCommand

from tasks.cli.command import PlainCommand


class InfoCommand(PlainCommand, Info):  # type: ignore[misc]
    """doit's, that knows when there is no such step."""

    name = "info"

    def _execute(self, pos_args: list[str], *, hide_status: bool = False) -> int:
        if len(pos_args) == 1 and pos_args[0] not in {task.name for task in self.task_list}:
            raise InvalidCommand(not_found=pos_args[0])
        return int(super()._execute(pos_args, hide_status) or 0)


class DumpDB(PlainCommand):
    """doit's reads none of our state, which is a journal."""

    name = "dumpdb"
    doc_purpose = "not here: list --all --status and info STEP tell what is up to date"
    doc_usage = ""
    doc_description = None

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Always an InvalidCommand."""
        raise InvalidCommand(
            "what has run is kept in no database of doit's; `list --all --status` and `info STEP` show it"
        )
