"""This program: doit with our commands and our state, whichever door it was started by."""

import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from doit.doit_cmd import DoitMain
from doit.plugin import PluginDict, PluginEntry
from doit.version import VERSION as DOIT

from tasks.cli.command import plain
from tasks.cli.commands import COMMANDS
from tasks.runtime.calling import CALLED, NAME, SIDE
from tasks.runtime.console import Console
from tasks.runtime.installation import CHECKOUT, missing_package
from tasks.runtime.version import VERSION
from tasks.transfer.verify_only import can_install, verify_only

_WRONG = 3  # doit's exit code for what is wrong before a task could begin

_PLUGINS = {"BACKEND": {"journal": "tasks.runtime.state:Journals"}, "GLOBAL": {"backend": "journal"}}


class Program(DoitMain):  # type: ignore[misc]
    """doit's own main, that takes nothing from a pyproject.toml or from what else is installed."""

    running = False  # whether dodo.py is loaded by us, and not by a doit that knows none of our commands

    def __init__(self, loader: Any, commands: Mapping[str, str]) -> None:
        super().__init__(loader, config_filenames=(), extra_config=_PLUGINS)
        self._commands = commands

    def get_cmds(self) -> PluginDict:
        """The commands of the table, ours and those of doit's that are of use here."""
        return PluginDict({name: _Command("COMMAND", name, place) for name, place in self._commands.items()})

    def run(self, all_args: Sequence[str]) -> int:
        """Run the command that the words name; returns its exit code."""
        Program.running = True
        words = list(all_args)
        if words and words[0] in ("--version", "-V"):
            python = ".".join(map(str, sys.version_info[:3]))
            Console().line(f"airgap {VERSION} (doit {'.'.join(map(str, DOIT))}, Python {python})")
            return 0
        if words[:1] in (["--help"], ["-h"]) or (not words and CALLED == NAME):
            words[:1] = ["help"]
        if not can_install() and words[:1] not in (["help"], ["completion"]):
            return verify_only(words, CHECKOUT.parent if SIDE == "air-gapped" else None)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # so it was while all was imported
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return int(super().run(words) or 0)
        except KeyboardInterrupt:  # before or after the command itself, which has its own way to end
            return 128 + signal.SIGINT
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
        found = getattr(import_module(module), kind)
        return plain(found, COMMANDS[self.name].purpose) if module.startswith("doit.") else found
