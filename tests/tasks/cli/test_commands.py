"""The one table of commands: each is there, under its name and purpose, and each side has its own."""

from importlib import import_module
from typing import Any

import pytest

from tasks.cli.commands import COMMANDS, places
from tasks.runtime.variables import VARIABLES


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_where_the_table_says(name: str) -> None:
    listed = COMMANDS[name]
    module, _, kind = listed.place.partition(":")
    command: Any = getattr(import_module(module), kind)
    assert (command.get_name(), command.doc_purpose) == (name, listed.purpose) == (listed.name, listed.purpose)


def test_what_only_the_connected_side_has() -> None:
    assert places("air-gapped").items() < places("connected").items()
    assert places("connected").keys() - places("air-gapped").keys() == {"rehearse", "lock", "images", "adopt", "schema"}


def test_only_a_report_compares() -> None:
    assert "since" in VARIABLES
    assert [each.name for each in COMMANDS.values() if each.comparing] == ["report"]
