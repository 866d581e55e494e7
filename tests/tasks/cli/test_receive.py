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
