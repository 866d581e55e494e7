"""How doit gets its project, and what it is told where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.places import ROOT


def test_a_missing_spec(tmp_path: Path) -> None:
    ran = Workbench(place=tmp_path).doit("bundle")
    assert ran.code == 3
    assert "there is no spec" in ran.err
    assert "spec=FILE" in ran.err


def test_all_problems_of_a_spec_at_once(bench: Workbench) -> None:
    bench.spec |= {"imagse": [], "files": [{"name": "../x", "source": "note.txt"}, {"name": "y", "source": "gone.txt"}]}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "did you mean" in ran.err
    assert "airgap.yaml:" in ran.err
    assert "gone.txt" in ran.err


def test_an_unknown_variable(bench: Workbench) -> None:
    ran = bench.doit("bundle", "sate=x")
    assert (ran.code, ran.out) == (3, "")
    assert "did you mean state=?" in ran.err


@pytest.mark.parametrize("command", ["bundle", "list"])
def test_started_elsewhere(bench: Workbench, command: str) -> None:
    argv = [sys.executable, "-m", "doit", "-f", str(ROOT / "dodo.py"), command]
    done = subprocess.run(argv, cwd=bench.place, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert f"start it there: cd {ROOT} && doit spec={bench.place / 'airgap.yaml'}" in done.stderr


def test_what_is_wrong_with_a_variable_is_told_where_there_is_a_spec(bench: Workbench) -> None:
    """And a bundle is asked for only where there is none."""
    argv = [sys.executable, "-P", "-m", "airgap", "install", "site=nowhere.yaml"]
    done = subprocess.run(argv, cwd=bench.place, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "nowhere.yaml: there is no such file" in done.stderr
    (bench.place / "airgap.yaml").unlink()
    done = subprocess.run(argv[:-1], cwd=bench.place, capture_output=True, text=True, check=False)
    assert "'install' needs a bundle" in done.stderr


def test_the_carried_program_has_its_bundle(bench: Workbench, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", str(bundled(bench).bundle / "airgap.pyz"), "install", "registry=https://r.internal/x"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "'https://r.internal/x' is an address" in done.stderr
