"""`help NAME`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.cli.commands import COMMANDS
from tasks.runtime.groups import GROUPS
from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.places import ROOT


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_and_group_has_a_page(tmp_path: Path, name: str) -> None:
    ran = Workbench(place=tmp_path).doit("help", name)
    assert (ran.code, ran.err) == (0, "")
    purpose = (COMMANDS.get(name) or GROUPS[name]).purpose
    assert ran.out.startswith(f"{name}: {purpose}\n")
    for part in ("usage", "reads", "writes"):
        assert f"\n  {part} " in ran.out
    assert max(map(len, ran.out.splitlines()[1:])) <= 100


def test_what_bundle_does_reads_and_writes(tmp_path: Path) -> None:
    out = Workbench(place=tmp_path).doit("help", "bundle").out
    assert "reads       the spec, airgap.lock" in out
    assert "writes      the bundle below out=" in out
    assert "spec=       the spec (default: airgap.yaml)" in out


def test_a_step_has_the_page_of_its_group(tmp_path: Path) -> None:
    assert Workbench(place=tmp_path).doit("help", "push:api").out.startswith("push:api: push the images to the ")


def test_a_variable(tmp_path: Path) -> None:
    assert Workbench(place=tmp_path).doit("help", "jobs").out == "  jobs=       how many transfers run at once\n"


def test_something_else(tmp_path: Path) -> None:
    ran = Workbench(place=tmp_path).doit("help", "bundel")
    assert (ran.code, ran.out) == (3, "")
    assert "did you mean 'bundle'?" in ran.err


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]], ids=" ".join)
def test_it_needs_no_project(tmp_path: Path, words: list[str]) -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tasks.cli.entry import main; sys.exit(main())"
    argv = [sys.executable, "-c", program, *words]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  install " in done.stdout
