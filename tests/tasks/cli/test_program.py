"""doit with our commands, whoever started it."""

import re
from typing import Any

import pytest
from doit.cmd_base import ModuleTaskLoader
from doit.cmd_list import List

from tasks.cli import program
from tasks.cli.program import Program
from tasks.runtime.version import VERSION

COMMANDS = {"graph": "tasks.commands.graph:GraphCommand", "run": "tasks.cli.run:Run", "list": "doit.cmd_list:List"}


def started(commands: dict[str, str] | None = None) -> Program:
    return Program(ModuleTaskLoader({}), commands or COMMANDS)


def test_ours_come_instead_of_doits() -> None:
    commands = started().get_cmds()
    assert commands.get_plugin("run").__module__ == "tasks.cli.run"
    assert commands.get_plugin("graph").__name__ == "GraphCommand"
    assert issubclass(commands.get_plugin("list"), List)
    assert commands.get_plugin("list").doc_purpose.startswith("list the steps")
    assert set(commands) == set(COMMANDS)


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_its_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert started().run([word]) == 0
    assert re.fullmatch(
        rf"airgap {re.escape(VERSION)} \(doit 0\.37\.\d, Python 3\.\d+\.\d+\)\n", capsys.readouterr().out
    )


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


def test_ctrl_c_outside_of_a_command_ends_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(name: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "import_module", stopped)
    assert started().run(["graph"]) == 130
    assert capsys.readouterr() == ("", "")
