"""What all commands do alike."""

import subprocess
import sys

import pytest

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
