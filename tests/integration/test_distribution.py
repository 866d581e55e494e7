"""The release check: the wheel and the sdist, as others install them."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.runtime.version import VERSION
from tests.fixtures.places import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def ran(argv: Sequence[object], cwd: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a program without what points at this checkout; it must not end in a traceback."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SOURCE_DATE_EPOCH")}
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env={**kept, **env}, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def good(argv: Sequence[object], cwd: Path, **env: str) -> str:
    """What a program printed that ended well."""
    done = ran(argv, cwd, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist, built from a copy of what git would have."""
    place = tmp_path_factory.mktemp("release")
    good([sys.executable, "-m", "build", "--no-isolation", "-o", place, ROOT], place)
    return place


@pytest.fixture(scope="module")
def wheel(release: Path) -> Path:
    (found,) = release.glob("*.whl")
    return found


def environment(place: Path, package: Path, python: str = sys.executable) -> Path:
    """A new environment that holds a package and what it needs; returns its directory of programs."""
    uv = (sys.executable, "-m", "uv")
    good([*uv, "venv", "-q", "--no-python-downloads", "--python", python, place], place.parent)
    good([*uv, "pip", "install", "-q", "--python", place / "bin" / "python", package], place.parent)
    return place / "bin"


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("venv") / "venv", wheel)


def test_the_wheel_holds_the_program_below_airgap(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"airgap", f"airgap_doit-{VERSION}.dist-info"}
    held = {name.removeprefix("airgap/_program/") for name in names if name.startswith("airgap/_program/")}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bundle", "clients", "schema", "tasks", "examples/hello")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == {*tracked, "dodo.py", "pyproject.toml", "requirements.lock"}


def test_the_sdist_makes_the_same_wheel(release: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = release.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    good(
        [sys.executable, "-m", "build", "--no-isolation", "-w", "-o", tmp_path, next(tmp_path.glob("airgap*"))],
        tmp_path,
    )
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def interpreters() -> dict[str, str]:
    """Those of 3.11 to 3.14 that uv finds on this machine, pyenv's among them, by version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    path = os.pathsep.join([os.environ["PATH"], *sorted(map(str, pyenv))])
    found = {}
    for version in PYTHONS:
        argv = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", "--system", version]
        done = subprocess.run(argv, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
        if not done.returncode:
            found[version] = done.stdout.strip()
    return found


INTERPRETERS = interpreters()


@pytest.mark.parametrize("version", list(INTERPRETERS))
def test_it_runs_on_this_python(wheel: Path, tmp_path: Path, version: str) -> None:
    programs = environment(tmp_path / "venv", wheel, INTERPRETERS[version])
    assert re.match(rf"airgap {re.escape(VERSION)} \(doit 0\.37", good([programs / "airgap", "--version"], tmp_path))
    assert good([programs / "python", "-m", "airgap", "--version"], tmp_path).startswith("airgap ")
    out = good([programs / "airgap", "bundle", f"spec={ROOT / 'examples/hello/airgap.yaml'}", "state=s"], tmp_path)
    assert "next: airgap verify bundle=dist/hello-1.0.0" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dist", "s", "venv"]


def test_nothing_of_ours_lies_at_the_top_of_site_packages(programs: Path, tmp_path: Path) -> None:
    listed = (
        "import importlib.util as u; print([n for n in ('bundle','clients','schema','tasks','dodo') if u.find_spec(n)])"
    )
    assert good([programs / "python", "-I", "-c", listed], tmp_path) == "[]\n"


def test_other_packages_of_the_same_names_do_no_harm(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "venv", wheel)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for name in ("schema", "tasks", "bundle", "clients"):
        (site / f"{name}.py").write_text(f"raise SystemExit('the other {name}')")
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('that of the directory, {name}')")
    (tmp_path / "dodo.py").write_text("raise SystemExit('the dodo of the directory')")
    for words in (["airgap"], ["python", "-m", "airgap"]):
        spec = f"spec={ROOT / 'examples/hello/airgap.yaml'}"
        assert "pull" in good([programs / words[0], *words[1:], "list", spec, "state=s"], tmp_path)


def test_uv_and_pipx_give_the_command(wheel: Path, tmp_path: Path) -> None:
    uv = (sys.executable, "-m", "uv")
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    good([*uv, "tool", "install", "-q", "--python", sys.executable, wheel], tmp_path, **places)
    assert good([tmp_path / "bin" / "airgap", "--version"], tmp_path).startswith(f"airgap {VERSION} ")
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["airgap"]
    called = good(
        [*uv, "tool", "run", "-q", "--python", sys.executable, "--from", wheel, "airgap", "--version"], tmp_path
    )
    assert called.startswith(f"airgap {VERSION} ")
    places = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "pipx-bin")}
    good([*uv, "tool", "run", "-q", "pipx", "install", "--python", sys.executable, wheel], tmp_path, **places)
    assert good([tmp_path / "pipx-bin" / "airgap", "--version"], tmp_path).startswith(f"airgap {VERSION} ")


def test_an_old_python_is_told_so_by_pip(wheel: Path, tmp_path: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read(f"airgap_doit-{VERSION}.dist-info/METADATA").decode()
    assert "\nRequires-Python: >=3.11\n" in metadata
    done = ran(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--python-version",
            "3.9",
            "--only-binary=:all:",
            wheel,
        ],
        tmp_path,
    )
    assert done.returncode != 0
    assert "requires a different Python" in done.stderr


def test_the_first_hour(programs: Path, tmp_path: Path) -> None:
    """In an empty directory: start, build, transfer, verify by its own zipapp, and install into a throwaway target."""
    good([programs / "airgap", "init", "--from", "hello", "demo"], tmp_path)
    demo = tmp_path / "demo"
    good([programs / "airgap", "bundle"], demo)
    assert "nothing to do" in good([programs / "doit", "bundle"], demo)
    carried = tmp_path / "carried"
    shutil.copytree(demo / "dist" / "hello-1.0.0", carried)
    out = good([sys.executable, "-I", carried / "airgap.pyz", "verify", f"state={tmp_path / 'inside'}"], carried)
    assert "verify " in out
    assert good([sys.executable, "-I", carried / "airgap.pyz", "--version"], tmp_path).startswith(f"airgap {VERSION} ")
    out = good([programs / "airgap", "rehearse"], demo, KUBEBUILDER_ASSETS="")
    assert "rehearsal of hello 1.0.0: passed" in out
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("$ ")]
    assert lines[0].startswith("$ pipx install airgap-doit")
    chart = tmp_path / "my-chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "templates" / "config.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n")
    good(["bash", "-c", lines[1].removeprefix("$ ")], tmp_path, PATH=f"{programs}:/usr/bin:/bin")
    assert (tmp_path / "shop" / "dist" / "shop-1.0.0" / "SHA256SUMS").is_file()
    again = tmp_path / "list"
    again.mkdir()
    (again / "images.txt").write_text("redis:7\n")
    assert "1 image, " in good([programs / "airgap", "init", "--from", "images.txt"], again)
