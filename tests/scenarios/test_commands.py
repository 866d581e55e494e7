"""The command line: exit codes, errors without traceback, and commands that need no spec."""

from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("registry=:::", "registry=:::: ':::' is no place in a registry"),
        ("registry=https://registry.internal/team", "'https://registry.internal/team' is an address"),
        ("site=nowhere.yaml", "there is no such file"),
    ],
)
def test_what_an_install_is_given(bench: Workbench, given: str, said: str) -> None:
    ran = bench.doit("install", given)
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err


def test_an_unknown_task(bench: Workbench) -> None:
    assert bench.doit("bundel").code == 3
    assert bench.doit("plan", "bundel").code == 3
    assert bench.doit("lock", "three").code == 3
    assert bench.doit("info", "pin:three").code == 3


@pytest.mark.parametrize(
    ("command", "said"),
    [("publish", "to=oci://"), ("fetch", "from=oci://"), ("backup", "key=FILE.crt")],
)
def test_what_the_command_line_lacks(bench: Workbench, command: str, said: str) -> None:
    ran = bench.doit(command)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_help_lists_the_commands(tmp_path: Path) -> None:
    out = Workbench(place=tmp_path).doit("help").out
    for command in ("plan", "lock", "schema", "list", "clean", "forget", "info", "completion"):
        assert f" {command} " in out
