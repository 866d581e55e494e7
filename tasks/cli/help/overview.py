"""The text of `help`: what can be typed, by side, in the order of the work."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from tasks.cli.commands import COMMANDS
from tasks.runtime.groups import GROUPS
from tasks.runtime.variables import VARIABLES, Side

CONNECTED: Sequence[str] = (
    "init",
    "images",
    "adopt",
    "lock",
    "outdated",
    "plan",
    "bundle",
    "verify",
    "report",
    "rehearse",
    "scan",
    "approve",
    "publish",
)
AIR_GAPPED: Sequence[str] = (
    "fetch", "verify", "plan", "preflight", "roles", "install",
    "status", "history", "diagnose", "backup", "restore-test", "rollback", "uninstall",
)  # fmt: skip
ANYWHERE: Sequence[str] = ("list", "info", "graph", "clean", "forget", "schema", "completion", "help")
UNLISTED = frozenset({"run", "ignore"})  # `run` is what happens without the word; `ignore` is rarely needed

_WIDTH = 100
_PARTS: Mapping[str, tuple[Side, Sequence[str]]] = {
    "Connected side, in the order of the work": ("connected", CONNECTED),
    "Air-gapped side, in the order of the work": ("air-gapped", AIR_GAPPED),
    "On either side": ("connected", ANYWHERE),
}


def overview(program: str, version: str, side: Side) -> Iterator[str]:
    """The lines of `help` for the program as it is called, on one side."""
    yield f"airgap {version}: transfer Helm applications into networks without internet"
    yield ""
    yield f"usage: {program} COMMAND [NAME=VALUE ...]"
    for title, (of, names) in _PARTS.items():
        if of == "connected" and side == "air-gapped" and names is CONNECTED:
            continue
        yield ""
        yield title
        for name in names:
            listed = COMMANDS.get(name) or GROUPS[name]
            if side in listed.sides or of == "air-gapped":
                yield from _entry(name, listed.purpose, [each for each in listed.variables if _is_of(each, of)])
    yield ""
    yield "Variables"
    for each in VARIABLES.values():
        if side in each.sides or side == "connected":
            yield from wrapped(f"{each.name}=", each.help)
    yield ""
    yield f"{program} help COMMAND shows what a command or a step does, reads and writes."


def _is_of(variable: str, side: Side) -> bool:
    return side in VARIABLES[variable].sides


def _entry(name: str, purpose: str, variables: Sequence[str]) -> Iterator[str]:
    yield from wrapped(name, purpose)
    if variables:
        yield from wrapped("", " ".join(f"{each}=" for each in variables))


def wrapped(name: str, text: str) -> Iterator[str]:
    """The lines of a name with its text beside it, in two columns."""
    indent = " " * 14
    yield from textwrap.wrap(text, _WIDTH, initial_indent=f"  {name:<11} ", subsequent_indent=indent)
