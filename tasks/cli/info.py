"""`doit info STEP` and `doit clean`, where doit's own would end in a traceback or say too much, and `doit schema`."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doit.cmd_clean import Clean
from doit.cmd_info import Info
from doit.exceptions import InvalidCommand

from bundle.formats.sizes import counted
from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS, SCHEMAS
from tasks.runtime.console import Console
from tasks.runtime.step import Removal


class InfoCommand(PlainCommand, Info):  # type: ignore[misc]
    """doit's, that knows when there is no such step."""

    name = "info"
    doc_purpose = COMMANDS["info"].purpose

    def _execute(self, pos_args: list[str], *, hide_status: bool = False) -> int:
        if len(pos_args) == 1 and pos_args[0] not in {task.name for task in self.task_list}:
            raise InvalidCommand(not_found=pos_args[0])
        return int(super()._execute(pos_args, hide_status) or 0)


class CleanCommand(PlainCommand, Clean):  # type: ignore[misc]
    """doit's, that says in one line what it removes, not in one for each step."""

    name = "clean"
    doc_purpose = COMMANDS["clean"].purpose

    def clean_tasks(self, tasks: Sequence[Any], dryrun: bool, cleanforget: bool) -> None:  # doit passes them so
        """Remove what the steps made, and say how much that was."""
        calls = (action.py_callable for task in tasks for action in task.clean_actions)
        found = [each.there() for each in calls if isinstance(each, Removal)]
        files: set[Path] = set().union(*(paths for paths, _ in found))
        named = [name for _, names in found for name in names]
        self.outstream = io.StringIO()  # a line of doit's for each step
        super().clean_tasks(tasks, dryrun, cleanforget)
        steps = sum(bool(paths or names) for paths, names in found)
        engine = f", and from the Docker daemon {', '.join(named)}" if named and dryrun else ""
        told = f"{counted(len(files), 'file')} of {counted(steps, 'step')}{engine}"
        Console().line(f"{'would remove' if dryrun else 'removed'} {told}" if steps else "nothing to remove")


class SchemaCommand(PlainCommand):
    """Prints a schema."""

    name = "schema"
    doc_purpose = COMMANDS["schema"].purpose
    doc_usage = f"[{'|'.join(SCHEMAS)}] [spec=FILE]"
    doc_description = "Editors complete a spec whose first line is  # yaml-language-server: $schema=PATH"

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Print one schema to standard output."""
        wanted = " ".join(pos_args) or "airgap"
        if wanted == "site":
            Console().text(_site_schema())
            return 0
        if wanted not in SCHEMAS:
            raise InvalidCommand(f"no schema is named {wanted!r}, there are {', '.join(SCHEMAS)}")
        path = Path(__file__).parents[2] / "schema" / SCHEMAS[wanted]
        Console().text(path.read_text(encoding="utf-8").rstrip())
        return 0


def _site_schema() -> str:
    """That of the site files of the spec which the command line names."""
    from bundle.formats import strict_json
    from schema.loading.values import read_all
    from schema.site.settings import Settings
    from tasks.cli.setup import open_project

    project = open_project()
    settings = Settings.of_spec(project.spec, read_all(project.spec).values())
    return strict_json.readable(settings.schema()).decode().rstrip()
