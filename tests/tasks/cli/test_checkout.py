"""A checkout says in one line that it is not installed for the doit that was started, or not wholly."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import doit
import pytest

from tasks.runtime.step import Step
from tests.fixtures.places import ROOT

DOIT = ("-c", "from doit.__main__ import main; main()")
PROGRAM = ("bundle", "clients", "schema", "tasks", "dodo.py", "pyproject.toml")


def run(words: list[str], *, cwd: Path = ROOT, site: Path | None = None, bare: bool = False) -> tuple[int, str, str]:
    """Run doit as its console script does: the working directory is not where Python looks for modules.

    `site` comes first among the places for packages; a `bare` Python has no other.
    """
    env = {**os.environ, "PYTHONPATH": str(site or ""), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-P", *(["-S"] if bare else []), *DOIT, *words]
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def only_doit(tmp_path: Path) -> Path:
    """A place for packages that holds doit and nothing else."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "doit").symlink_to(Path(doit.__file__).parent)
    return site


@pytest.mark.parametrize("words", ["", "list", "list --all", "bundle", "plan install --json", "info pin", "clean"])
def test_without_an_installation(only_doit: Path, words: str) -> None:
    code, out, err = run(words.split(), site=only_doit, bare=True)
    assert (code, out) == (3, "")
    assert err == (
        f"ERROR: the checkout {ROOT} is not installed for this doit, which runs on {sys.executable}; "
        f"next: cd {ROOT} && python3 -m venv .venv && .venv/bin/pip install -q -e ., then .venv/bin/doit\n"
    )


# Not `help`: doit answers that by itself, before it loads anything of ours.
@pytest.mark.parametrize("words", [["list"], ["list", "--all"]], ids=" ".join)
def test_a_reader_that_has_had_enough_without_an_installation(only_doit: Path, words: list[str]) -> None:
    argv = shlex.join([sys.executable, "-P", "-S", *DOIT, *words])
    env = {**os.environ, "PYTHONPATH": str(only_doit), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", f"{argv} | head -1"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_without_an_installation_elsewhere(only_doit: Path, tmp_path: Path) -> None:
    code, _, err = run(["-f", str(ROOT / "dodo.py"), "list"], cwd=tmp_path, site=only_doit, bare=True)
    assert code == 3
    assert err.startswith(f"ERROR: doit was started in '{tmp_path}'")
    assert "Traceback" not in err


@pytest.mark.parametrize("words", ["list", "bundle", "images", "help images"])
def test_a_package_is_missing(tmp_path: Path, words: str) -> None:
    (tmp_path / "yaml.py").write_text("raise ModuleNotFoundError('no', name='yaml.nodes')")
    code, out, err = run([*words.split(), "spec=examples/hello/airgap.yaml"], site=tmp_path)
    assert (code, out) == (3, "")
    assert err == (
        f"ERROR: module 'yaml' is not installed, the checkout {ROOT} needs it; "
        f"next: cd {ROOT} && python3 -m venv .venv && .venv/bin/pip install -q -e .\n"
    )


def failing(module: str) -> Step:
    def action() -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return Step(base="sbom", doc="", action=action, inputs=dict)


def test_a_package_that_only_a_step_needs_is_missing() -> None:
    failed = failing("cyclonedx.model").to_doit()["actions"][0]()
    assert failed.get_msg().startswith(f"module 'cyclonedx' is not installed, the checkout {ROOT} needs it; next: cd ")


def test_a_module_of_ours_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError, match="gone"):
        failing("clients.gone").to_doit()["actions"][0]()


def test_the_installation_of_another_checkout(tmp_path: Path) -> None:
    for name in PROGRAM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    code, out, err = run(["list"], cwd=tmp_path)
    assert (code, out) == (3, "")
    assert err.startswith(f"ERROR: this doit runs the checkout {ROOT}, and this is {tmp_path}; next: cd {tmp_path} && ")
    assert err.count("\n") == 1


def test_with_its_installation() -> None:
    code, out, err = run(["list", "spec=examples/hello/airgap.yaml"])
    assert (code, err) == (0, "")
    assert "bundle " in out
