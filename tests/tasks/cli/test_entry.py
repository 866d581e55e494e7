"""The program beside its bundle."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = make(tmp_path_factory.mktemp("zipapp") / "project")
    assert bench.doit("bundle").code == 0
    return bench


def test_it_reads_no_spec_that_lies_where_it_is_run(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "airgap.yaml").write_text("version: 1\nbundle: {name: other, version: 1.0.0}\n")
    done = subprocess.run(
        [sys.executable, "-I", bench.bundle / "airgap.pyz", "verify", f"state={tmp_path / 'state'}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / ".airgap").exists()


def beside(bench: Workbench, tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the bundle's own program."""
    argv = [sys.executable, "-I", bench.bundle / "airgap.pyz", *words, f"state={tmp_path / 'state'}"]
    return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", ["lock", "bundle", "pull:one", "images --add", "rehearse", "help lock"])
def test_the_other_sides_commands_are_told_where_to_be_typed(bench: Workbench, tmp_path: Path, words: str) -> None:
    done = beside(bench, tmp_path, *words.split())
    word = words.removeprefix("help ").split()[0]
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"ERROR: {word!r} is for the connected side: ")
    assert done.stderr.endswith(f"next: type it there: airgap {word}\n")


def test_a_plan_without_a_word_is_that_of_the_install(bench: Workbench, tmp_path: Path) -> None:
    done = beside(bench, tmp_path, "plan")
    assert "invalid parameter" not in done.stderr
    assert "verify" in done.stdout


def test_its_help_and_its_messages_name_it(bench: Workbench, tmp_path: Path) -> None:
    done = beside(bench, tmp_path, "help")
    assert done.returncode == 0
    assert f"usage: python3 {bench.bundle / 'airgap.pyz'} COMMAND" in done.stdout
    done = beside(bench, tmp_path, "verfy")
    assert f"did you mean 'verify'?\n  next: python3 {bench.bundle / 'airgap.pyz'} help verify\n" in done.stderr
