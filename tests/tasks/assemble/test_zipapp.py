"""`airgap.pyz`: the same bytes from the same sources, and only Python needed to run it."""

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.assemble import zipapp
from tests.fixtures.benches.workbench import Workbench, make


def pythons() -> Iterator[str]:
    """Every Python from 3.11 to 3.13 on this machine: on PATH, or installed by pyenv."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in (11, 12, 13):
        found = [shutil.which(f"python3.{minor}"), *map(str, versions.glob(f"3.{minor}.*/bin/python3"))]
        for path in filter(None, found):
            # pyenv's names on PATH are scripts that may lead nowhere; the interpreter itself is asked for.
            asked = [path, "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                yield done.stdout.strip()
                break


PYTHONS = list(pythons())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = make(tmp_path_factory.mktemp("zipapp") / "project")
    assert bench.doit("bundle").code == 0
    return bench


def test_the_same_sources_give_the_same_bytes() -> None:
    assert zipapp.build() == zipapp.build()


def test_it_holds_no_compiled_code_and_all_licences() -> None:
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name.rpartition(".")[2] for name in names if not name.startswith("licenses/")} == {"py"}
    assert {name.split("/")[1] for name in names if name.startswith("licenses/")} == {"doit", "urllib3", "PyYAML"}


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_it_verifies_its_own_bundle_alone(bench: Workbench, tmp_path: Path, python: str) -> None:
    carried = tmp_path / "carried"
    shutil.copytree(bench.bundle, carried)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [python, "-I", carried / "airgap.pyz", "verify"],
        cwd=empty,
        env={"HOME": str(tmp_path / "home"), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{carried}: 21 files" in done.stdout
    assert list(empty.iterdir()) == []
    (carried / "manifest.txt").write_text("other")
    done = subprocess.run(
        [python, "-I", carried / "airgap.pyz", "verify"], cwd=empty, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "manifest.txt" in done.stderr


def test_an_old_python_is_told_so(bench: Workbench, tmp_path: Path) -> None:
    main = tmp_path / "__main__.py"
    with zipfile.ZipFile(bench.bundle / "airgap.pyz") as archive:
        main.write_bytes(archive.read("__main__.py"))
    program = f"import sys; sys.version_info = (3, 10, 0); exec(open({str(main)!r}).read())"
    done = subprocess.run([PYTHONS[0], "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "airgap.pyz needs Python 3.11 or later, this is 3.10\n")
