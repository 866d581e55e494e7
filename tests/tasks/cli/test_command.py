"""What all commands do alike."""

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidCommand

from bundle.errors import FormatError
from tasks.cli.command import PlainCommand, unforeseen
from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.places import ROOT


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "plan",
        "lock",
        "images",
        "adopt",
        "publish",
        "fetch",
        "backup",
        "rollback",
        "uninstall",
        "diagnose",
        "report",
        "rehearse",
        "graph",
        "info",
        "list",
        "clean",
        "forget",
        "completion",
        "help",
        "schema",
    ],
)
def test_an_unknown_option(bench: Workbench, command: str) -> None:
    ran = bench.doit(command, "--nope")
    assert ran.code == 3
    assert ran.err == f"ERROR: option --nope not recognized; `doit help {command}` lists the options\n"


@pytest.mark.parametrize(
    "words",
    [["graph"], ["schema"], ["plan", "bundle"], ["list"], ["list", "--all"], ["help"], ["help", "bundle"]],
    ids=" ".join,
)
def test_a_reader_that_has_had_enough(bench: Workbench, words: list[str]) -> None:
    given, env = bench.command(*words)
    argv = [sys.executable, "-m", "doit", *given]
    run = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout
    assert run.stderr
    run.stdout.close()
    assert run.stderr.read() == ""
    run.stderr.close()
    assert run.wait(60) == 141


class Failing(PlainCommand):
    """Raises what it is given."""

    name = "failing"
    cmd_options = ()
    cause: BaseException

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        raise self.cause


FORESEEN_BY_NOBODY = [
    RecursionError("maximum recursion depth exceeded"),
    ValueError("invalid literal\nFORGED: all as their checksums say"),
    OverflowError("\x1b[2K"),
    AttributeError("'list' object has no attribute 'get'"),
    UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"),
    KeyError("x" * 100_000),
    MemoryError(),
]


@pytest.mark.parametrize("cause", FORESEEN_BY_NOBODY, ids=lambda cause: type(cause).__name__)
def test_what_nobody_foresaw_is_one_line_and_a_private_file(
    cause: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    command = Failing()
    command.cause = cause
    assert command.parse_execute([]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"BROKEN failing: this program has a fault: {type(cause).__name__}: ")
    assert [line[:1] for line in told.splitlines()] == ["B", " "]
    assert told.replace("\n", "").isprintable()
    assert len(told) < 1000
    (file,) = tmp_path.iterdir()
    assert str(file) in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.search(r"airgap \S+, Python 3\.", file.read_text())
    assert "Traceback" in file.read_text()


def test_it_is_told_also_where_no_file_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    assert "could not be written down" in unforeseen(ValueError("x"), "details")


def test_our_own_errors_fail_and_doits_own_pass(capsys: pytest.CaptureFixture[str]) -> None:
    command = Failing()
    command.cause = FormatError("it is bad", hint="make it anew")
    assert command.parse_execute([]) == 1
    assert capsys.readouterr().err == "FAILED failing: it is bad\n  next: make it anew\n"
    command.cause = InvalidCommand("wrong word")
    with pytest.raises(InvalidCommand):
        command.parse_execute([])
