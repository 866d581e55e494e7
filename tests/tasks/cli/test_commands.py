"""The one table of commands: each is there, under its name and purpose, and each side has its own."""

from importlib import import_module
from typing import Any

import pytest

from tasks.cli.commands import COMMANDS, places
from tasks.runtime.variables import VARIABLES
from tests.fixtures.benches.workbench import Workbench


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_where_the_table_says(name: str) -> None:
    listed = COMMANDS[name]
    module, _, kind = listed.place.partition(":")
    command: Any = getattr(import_module(module), kind)
    assert command.get_name() == name == listed.name
    if not module.startswith("doit."):
        assert command.doc_purpose == listed.purpose


@pytest.mark.parametrize("name", COMMANDS)
def test_each_says_what_it_reads_and_writes(name: str) -> None:
    listed = COMMANDS[name]
    assert all((listed.purpose, listed.reads, listed.writes))
    assert set(listed.variables) <= set(VARIABLES)


@pytest.mark.parametrize("name", ["tabcompletion", "dumpdb", "strace", "reset-dep"])
def test_what_serves_nothing_here_is_left_out(bench: Workbench, name: str) -> None:
    ran = bench.doit(name)
    assert (ran.code, ran.out) == (3, "")
    assert f"there is no command or step {name!r}" in ran.err


def test_what_only_the_connected_side_has() -> None:
    assert places("air-gapped").items() < places("connected").items()
    only = {"init", "rehearse", "lock", "outdated", "images", "adopt", "schema"}
    assert places("connected").keys() - places("air-gapped").keys() == only


def test_only_a_report_compares() -> None:
    assert "since" in VARIABLES
    assert [each.name for each in COMMANDS.values() if each.comparing] == ["report"]
