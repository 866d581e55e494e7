"""This program: doit with our commands and our state, whichever door it was started by."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from doit.doit_cmd import DoitMain
from doit.plugin import PluginDict, PluginEntry

from tasks.runtime.console import Console
from tasks.runtime.installation import missing_package

_WRONG = 3  # doit's exit code for what is wrong before a task could begin

_PLUGINS = {"BACKEND": {"journal": "tasks.runtime.state:JournalDB"}, "GLOBAL": {"backend": "journal"}}


class Program(DoitMain):  # type: ignore[misc]
    """doit's own main, that takes nothing from a pyproject.toml or from what else is installed."""

    running = False  # whether dodo.py is loaded by us, and not by a doit that knows none of our commands

    def __init__(self, loader: Any, commands: Mapping[str, str]) -> None:
        super().__init__(loader, config_filenames=(), extra_config=_PLUGINS)
        self._commands = commands

    def get_cmds(self) -> PluginDict:
        """doit's commands and ours, which come instead of doit's of the same name."""
        found = PluginDict({kind.get_name(): kind for kind in self.DOIT_CMDS})
        found.update({name: _Command("COMMAND", name, place) for name, place in self._commands.items()})
        return found

    def run(self, all_args: Sequence[str]) -> int:
        """Run the command that the words name; returns its exit code."""
        Program.running = True
        try:
            return int(super().run(list(all_args)) or 0)
        except ModuleNotFoundError as err:
            missing = missing_package(err)
            if not missing:
                raise
            Console().problem(f"ERROR: {missing}")
            return _WRONG


class _Command(PluginEntry):  # type: ignore[misc]
    """A command by its place; doit's own hides which module was not found."""

    def load(self) -> Any:
        module, _, kind = self.location.partition(":")
        return getattr(import_module(module), kind)
