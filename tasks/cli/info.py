"""`doit info STEP`, where doit's own would end in a traceback, and `doit schema`."""

from pathlib import Path
from typing import Any

from doit.cmd_info import Info
from doit.exceptions import InvalidCommand

from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS, SCHEMAS
from tasks.runtime.console import Console


class InfoCommand(PlainCommand, Info):  # type: ignore[misc]
    """doit's, that knows when there is no such step."""

    name = "info"
    doc_purpose = COMMANDS["info"].purpose

    def _execute(self, pos_args: list[str], *, hide_status: bool = False) -> int:
        if len(pos_args) == 1 and pos_args[0] not in {task.name for task in self.task_list}:
            raise InvalidCommand(not_found=pos_args[0])
        return int(super()._execute(pos_args, hide_status) or 0)


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
