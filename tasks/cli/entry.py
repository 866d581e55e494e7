"""The entry of the command `airgap` and of `airgap.pyz`: the same program, without doit's own command before it."""

import importlib
import inspect
import sys
from typing import Any

from doit.cmd_base import ModuleTaskLoader

from tasks.cli.commands import places
from tasks.cli.program import Program
from tasks.runtime.calling import SIDE


class DodoLoader(ModuleTaskLoader):  # type: ignore[misc]
    """Loads dodo.py when a command runs, so that it sees the command line's variables."""

    def __init__(self) -> None:
        super().__init__({})

    def setup(self, opt_values: Any) -> None:
        """Called by doit before tasks are loaded."""
        self.namespace = dict(inspect.getmembers(importlib.import_module("dodo")))


def main() -> int:
    """Run doit with the words of the command line; returns its exit code."""
    return Program(DodoLoader(), places(SIDE)).run(sys.argv[1:])
