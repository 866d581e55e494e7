"""Which versions `airgap.pyz` carries is stated, and held against the floors and the lock."""

import json
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from bundle.errors import AirgapError
from tasks.assemble import packages, zipapp
from tasks.runtime.installation import CHECKOUT
from tests.fixtures.benches.workbench import make

PROJECT = """[project]
dependencies = ["doit>=0.37,<0.38", "urllib3>=2.7", "Py_YAML >=6.0.2", "sh>=2; python_version < '4'", "loose"]
"""
LOCK = f"""# made by
doit==0.37.0 \\
    --hash=sha256:{"0" * 64}
py-yaml[fast]==6.0.3 ; python_version < '4' \\
    --hash=sha256:{"1" * 64}
    # via doit
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements.lock").write_text(LOCK)
    monkeypatch.setattr(packages, "CHECKOUT", tmp_path)


def test_a_bundle_states_what_its_zipapp_carries(tmp_path: Path) -> None:
    bench = make(tmp_path / "project")
    ran = bench.doit("bundle")
    stated = json.loads((bench.bundle / "manifest.json").read_text())["carries"]
    assert stated == {name: metadata.version(name) for name in zipapp.THEIR_PACKAGES.values()}
    lines = "".join(
        f"  {name} {version}\n" for name, version in sorted(stated.items(), key=lambda item: item[0].lower())
    )
    title = "airgap.pyz carries"
    assert f"{title}\n{'-' * len(title)}\n{lines}" in (bench.bundle / "manifest.txt").read_text()
    differing = packages.unlocked(stated)
    assert (packages.LOCK in ran.out) == bool(differing)
    assert all(each in ran.out for each in differing)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("version", "floor"),
    [("2.6.9", "2.7"), ("1.26.20", "2.7"), ("2.7", ""), ("2.7.0", ""), ("2.10.1", ""), ("3.0.0.post1", "")],
)
def test_a_version_below_the_floor(version: str, floor: str) -> None:
    versions = {"doit": "0.37.0", "urllib3": version, "PyYAML": "5", "loose": "0", "undeclared": "0"}
    if not floor:
        return packages.require_floors(versions)
    with pytest.raises(AirgapError) as caught:
        packages.require_floors(versions)
    assert caught.value.what == f"urllib3 {version} is installed, {floor} or later is needed"
    assert caught.value.hint.endswith(".venv/bin/pip install -q -e .")
    return None


@pytest.mark.usefixtures("checkout")
def test_all_versions_below_floors_are_named() -> None:
    with pytest.raises(AirgapError, match=r"py\.yaml 6\.0\.1 is installed, .*; sh 1\.9 is installed, 2 or later"):
        packages.require_floors({"py.yaml": "6.0.1", "sh": "1.9"})


@pytest.mark.usefixtures("checkout")
def test_what_is_not_as_locked() -> None:
    assert packages.unlocked({"doit": "0.37.0", "Py.YAML": "6.0.3"}) == []
    assert packages.unlocked({"doit": "0.37.1", "PY-YAML": "6.0.4", "sh": "2"}) == [
        "doit 0.37.1 (locked: 0.37.0)",
        "PY-YAML 6.0.4 (locked: 6.0.3)",
        "sh 2 (locked: none)",
    ]


def test_the_floors_of_this_project_hold_here() -> None:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert packages._floors().keys() >= {"doit", "pyyaml", "urllib3"}
    assert len(packages._floors()) == len(declared)
    packages.require_floors(packages.installed(zipapp.THEIR_PACKAGES.values()))


def test_every_carried_package_is_locked() -> None:
    none = [each for each in packages.unlocked(dict.fromkeys(zipapp.THEIR_PACKAGES.values(), "0")) if "none" in each]
    assert none == []


def test_an_old_package_stops_the_step(tmp_path: Path) -> None:
    bench = make(tmp_path / "project")
    site = tmp_path / "site" / "squarify-0.1.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: squarify\nVersion: 0.1\n")
    bench.env["PYTHONPATH"] = str(site.parent)
    ran = bench.doit("zipapp")
    assert ran.code == 1
    assert "FAILED zipapp: squarify 0.1 is installed, 0.4.4 or later is needed" in ran.err
    assert not list(bench.dist.rglob("airgap.pyz"))
