"""`help`: all commands, or one command, step group or variable."""

from collections.abc import Iterator
from typing import Any

from doit.cmd_base import Command
from doit.exceptions import InvalidCommand

from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS, ListedCommand
from tasks.cli.help.overview import overview, wrapped
from tasks.cli.suggest import unknown
from tasks.runtime.calling import CALLED, NAME, SIDE
from tasks.runtime.console import Console
from tasks.runtime.groups import GROUPS, ListedGroup
from tasks.runtime.variables import VARIABLES
from tasks.runtime.version import VERSION


class HelpCommand(PlainCommand, Command):  # type: ignore[misc]
    """Shows help. It needs no project."""

    name = "help"
    doc_purpose = COMMANDS["help"].purpose
    doc_usage = "[COMMAND|STEP|VARIABLE]"

    def __init__(self, cmds: Any = None, **kwargs: Any) -> None:
        super().__init__(cmds=cmds, **kwargs)
        self._cmds = cmds
        self._kwargs = kwargs

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Print the page to standard output."""
        page = self._page(pos_args[0].rstrip("=")) if pos_args else overview(CALLED, VERSION, SIDE)
        Console().text("\n".join(page))
        return 0

    def _page(self, word: str) -> Iterator[str]:
        base = word.partition(":")[0]
        listed = COMMANDS.get(word) or GROUPS.get(base)
        if listed is None or (SIDE not in listed.sides and listed.name not in GROUPS):
            if word in VARIABLES:
                yield from _about(word)
                return
            raise InvalidCommand(unknown(word, VARIABLES))
        yield f"{word}: {listed.purpose}"
        yield ""
        yield from wrapped("usage", self._usage(listed))
        yield from wrapped("reads", listed.reads)
        yield from wrapped("writes", listed.writes)
        if isinstance(listed, ListedCommand):
            yield from self._details(listed)
        if listed.variables:
            yield ""
            yield "Variables"
            for name in listed.variables:
                yield from _about(name)

    def _usage(self, listed: ListedCommand | ListedGroup) -> str:
        if isinstance(listed, ListedCommand):
            return f"{CALLED} {listed.name} {self._command(listed).doc_usage}".rstrip()
        if SIDE in listed.sides:
            return f"{CALLED} {listed.name} [NAME=VALUE ...]"
        if SIDE == "air-gapped":
            return f"{NAME} {listed.name} [NAME=VALUE ...], on the connected side"
        return f"python3 airgap.pyz {listed.name} [NAME=VALUE ...], beside the bundle on the air-gapped side"

    def _details(self, listed: ListedCommand) -> Iterator[str]:
        """What else there is to say of a command, and its options."""
        command = self._command(listed)
        if command.doc_description:
            yield from wrapped("note", command.doc_description)
        for option in command.cmd_options:
            if option.get("long"):
                yield from wrapped(f"--{option['long']}", option["help"] % {"default": option.get("default")})

    def _command(self, listed: ListedCommand) -> Any:
        return self._cmds.get_plugin(listed.name)(cmds=self._cmds, **self._kwargs)


def _about(name: str) -> Iterator[str]:
    yield from wrapped(f"{name}=", VARIABLES[name].help)
