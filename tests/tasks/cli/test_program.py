"""doit with our commands, whoever started it."""

from typing import Any

import pytest
from doit.cmd_base import ModuleTaskLoader

from tasks.cli import program
from tasks.cli.program import Program

COMMANDS = {"graph": "tasks.commands.graph:GraphCommand", "run": "tasks.cli.run:Run"}


def started(commands: dict[str, str] | None = None) -> Program:
    return Program(ModuleTaskLoader({}), commands or COMMANDS)


def test_ours_come_instead_of_doits() -> None:
    commands = started().get_cmds()
    assert commands.get_plugin("run").__module__ == "tasks.cli.run"
    assert commands.get_plugin("graph").__name__ == "GraphCommand"
    assert commands.get_plugin("list").__module__ == "doit.cmd_list"


def test_what_is_not_installed_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")

    monkeypatch.setattr(program, "import_module", absent)
    assert started().run(["graph"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("ERROR: module 'yaml' is not installed, ")
    assert told.err.count("\n") == 1


def test_a_module_of_ours_that_is_missing_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_such"):
        started({"graph": "tasks.commands.nothing_such:X"}).run(["graph"])
