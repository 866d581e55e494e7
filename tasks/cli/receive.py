"""The entry of `airgap.pyz`: the same program as in the checkout, beside the bundle it lies in."""

import importlib
import inspect
import sys
from typing import Any

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

COMMANDS = {
    "run": "tasks.cli.run:Run",
    "plan": "tasks.commands.plan:Plan",
    "rollback": "tasks.commands.day2:Rollback",
    "uninstall": "tasks.commands.day2:Uninstall",
    "diagnose": "tasks.commands.day2:Diagnose",
    "backup": "tasks.commands.backup:Backup",
    "report": "tasks.commands.report:ReportCommand",
    "publish": "tasks.commands.publish:Publish",
    "fetch": "tasks.commands.publish:Fetch",
    "graph": "tasks.commands.graph:GraphCommand",
    "info": "tasks.cli.info:InfoCommand",
    "dumpdb": "tasks.cli.info:DumpDB",
}


class DodoLoader(ModuleTaskLoader):  # type: ignore[misc]
    """Loads dodo.py when a command runs, so that it sees the command line's variables."""

    def __init__(self) -> None:
        super().__init__({})

    def setup(self, opt_values: Any) -> None:
        """Called by doit before tasks are loaded."""
        self.namespace = dict(inspect.getmembers(importlib.import_module("dodo")))


def main() -> int:
    """Run doit with the words of the command line; returns its exit code."""
    plugins = {
        "COMMAND": COMMANDS,
        "BACKEND": {"journal": "tasks.runtime.state:JournalDB"},
        "GLOBAL": {"backend": "journal"},
    }
    return int(DoitMain(DodoLoader(), config_filenames=(), extra_config=plugins).run(sys.argv[1:]) or 0)
