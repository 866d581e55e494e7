"""`airgap.pyz`: the same bytes from the same sources, and only Python needed to run it."""

import importlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.programs.process import run
from tasks.assemble import zipapp
from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.servers.fake_engine import body, fake_engine


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


def test_it_holds_modules_compiled_ones_beside_their_sources_and_all_licences() -> None:
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name.rpartition(".")[2] for name in names if not name.startswith("licenses/")} == {"py", "pyc"}
    assert {name.removesuffix("c") for name in names if name.endswith(".pyc")} < set(names)
    licences = [name for name in names if name.startswith("licenses/")]
    assert {name.split("/")[1] for name in licences} == set(zipapp.THEIR_PACKAGES.values())
    assert "licenses/requests/NOTICE" in licences, "the Apache License wants it to travel"


def test_a_small_one_holds_no_compiled_code() -> None:
    with zipfile.ZipFile(io.BytesIO(zipapp.build(small=True))) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]


def test_a_changed_file_of_others_says_so_and_is_the_only_one() -> None:
    """The Apache License wants that too."""
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        changed = set()
        for package in zipapp.THEIR_PACKAGES:
            place = Path(str(importlib.import_module(package).__file__)).parent
            for path in place.rglob("*.py"):
                name = f"{package}/{path.relative_to(place)}"
                if archive.read(name) != path.read_bytes():
                    changed.add(name)
        assert changed == {"requests/certs.py"}
        assert archive.read("requests/certs.py").startswith(b"# Changed in airgap.pyz: ")


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_the_docker_sdk_runs_from_it_and_unpacks_nothing(tmp_path: Path, python: str) -> None:
    """With any warning an error: the far side's terminal is not for what packages think of each other."""
    (tmp_path / "airgap.pyz").write_bytes(zipapp.build())
    (tmp_path / "empty").mkdir()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from clients.engine.engine import Engine\n"
        "from docker import APIClient\n"
        "import requests.utils\n"
        "print(*(sys.modules[name].__file__ for name in sys.argv[3:]), sep='\\n')\n"
        "print(requests.utils.DEFAULT_CA_BUNDLE_PATH)\n"
        "print(Engine({'DOCKER_HOST': sys.argv[2]}).inspect('app', subject='x').id)"
    )
    names = ["docker", "requests", "idna", "charset_normalizer", "urllib3"]
    with fake_engine() as fake:
        fake.plan("GET /images/app/json", body(200, {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}))
        words = [python, "-I", "-W", "error", "-c", program, str(tmp_path / "airgap.pyz"), fake.host, *names]
        env = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "empty"), "LANG": "C.UTF-8"}
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *files, authorities, found = done.stdout.splitlines()
    assert [file.removesuffix("c") for file in files] == [f"{tmp_path}/airgap.pyz/{name}/__init__.py" for name in names]
    assert str(tmp_path) not in authorities
    assert found == "sha256:1"
    assert list((tmp_path / "empty").iterdir()) == []


def test_it_is_built_by_a_process_that_has_started_programs() -> None:
    before = zipapp.build()
    run(["/bin/true"], subject="s", timeout=20)
    assert zipapp.build() == before


def test_a_module_that_is_one_file_is_carried_like_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sh was one until 2.3."""
    (tmp_path / "sh.py").write_text("one = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        assert archive.read("sh.py") == b"one = 1\n"
        assert not [name for name in archive.namelist() if name.startswith("sh/")]
    assert tmp_path / "sh.py" in zipapp.sources()


STARTS = """
import sys
sys.path[0] = sys.argv[1]
from clients.programs.process import run
for tied in (False, True):
    print(run(["/bin/cat"], subject="s", timeout=60, stdin=b"in", tied=tied).text, sys.modules["sh"].__file__)
"""


@pytest.mark.parametrize("python", PYTHONS, ids=str)
def test_it_starts_programs_by_what_it_carries(bench: Workbench, tmp_path: Path, python: str) -> None:
    carried = bench.bundle / "airgap.pyz"
    done = subprocess.run(
        [python, "-I", "-S", "-W", "always", "-c", STARTS, carried],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    (where,) = {line.removeprefix("in ") for line in done.stdout.splitlines()}
    assert where.startswith(f"{carried}/sh")


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
    assert f"{carried}: 23 files" in done.stdout
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
