"""One version: pyproject.toml's, in the checkout, in what is installed, and in the zipapp."""

import io
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

from tasks.assemble import zipapp
from tasks.runtime.version import VERSION
from tests.fixtures.places import ROOT


def test_it_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    assert metadata.version("airgap-doit") == VERSION


def test_the_zipapp_has_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        archive.extractall(tmp_path)
    assert not (tmp_path / "pyproject.toml").exists()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tasks.runtime import version as v; print(v.VERSION, v.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [VERSION, str(tmp_path / "tasks" / "runtime" / "version.py")]
