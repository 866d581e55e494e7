"""What a project is made of."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest
from doit.exceptions import InvalidDodoFile

from schema.loading.load import load
from tasks.start.template import example, project_files, schema_file, spec_text


def test_the_empty_spec_loads(tmp_path: Path) -> None:
    (tmp_path / "airgap.yaml").write_text(spec_text("shop"))
    assert load(tmp_path / "airgap.yaml", env={}).bundle.name == "shop"


def test_its_examples_load_too(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ") if line.startswith(("# images", "# charts", "# install", "#   ")) else line
        for line in spec_text("shop").splitlines()
        if "runbook" not in line and "files:" not in line
    ]
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "podinfo.yaml").write_text("{}\n")
    (tmp_path / "airgap.yaml").write_text("\n".join(lines))
    spec = load(tmp_path / "airgap.yaml", env={})
    assert (len(spec.images), len(spec.charts), len(spec.install.releases)) == (1, 1, 1)


def test_it_names_no_machine_and_no_version() -> None:
    for text in project_files("shop").values():
        assert str(Path(__file__).parents[3]) not in text
        assert "0.1.0" not in text


def test_a_doit_without_us_says_what_is_missing(tmp_path: Path) -> None:
    for name in ("dodo.py", "doit.cfg"):
        (tmp_path / name).write_text(project_files("x")[name])
    with pytest.raises(InvalidDodoFile, match="pip install airgap-doit"):
        exec(project_files("x")["dodo.py"])
    config = configparser.ConfigParser()
    config.read(tmp_path / "doit.cfg")
    assert config["GLOBAL"]["loader"] == "airgap"
    program = "import sys, doit; from importlib import metadata as m; m.entry_points = lambda **_: (); "
    program += (
        "import doit.plugin as p; p.entry_points_impl = lambda: m.entry_points; from doit.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "list"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("ERROR: airgap is not installed for this doit; next: ")


def test_schema_and_example_are_there() -> None:
    assert schema_file().is_file()
    assert (example() / "airgap.yaml").is_file()
