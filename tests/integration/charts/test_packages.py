"""What the real helms make of our packages, and we of theirs. Skipped where they are not built."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bundle.charts.package import package_chart
from bundle.oci.locations import parse_chart
from clients.charts.source import Charts
from clients.http.transport import Transport
from clients.registry.repository import Registries
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import cncf_registry
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "hello" / "chart"
IGNORE = "*.bak\n/secret/\ndocs/*.md\n[a-c]?.txt\n"
FILES = ["n.bak", "secret/key", "docs/a.md", "docs/deep/b.md", "ax.txt", "dx.txt", "templates/.hidden", "x/secret/key"]


@pytest.fixture(params=[3, 4], ids=["helm 3", "helm 4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    try:
        found = asset(f"helm{request.param}")
    except PartError as err:
        pytest.skip(str(err))
    return [found, "--registry-config", str(tmp_path / "registry.json")]


@pytest.fixture
def package() -> bytes:
    return package_chart(CHART, name="hello", subject="chart 'hello'")


def run(helm: list[str], *args: str) -> str:
    return subprocess.run([*helm, *args], check=True, capture_output=True, text=True).stdout


def test_accepts_our_package(helm: list[str], package: bytes, tmp_path: Path) -> None:
    ours = tmp_path / "hello-1.0.0.tgz"
    ours.write_bytes(package)
    assert "0 chart(s) failed" in run(helm, "lint", "--strict", str(ours))
    assert run(helm, "show", "chart", str(ours)) == run(helm, "show", "chart", str(CHART))
    assert run(helm, "template", "x", str(ours)) == run(helm, "template", "x", str(CHART))


def test_packages_the_same_files(helm: list[str], tmp_path: Path) -> None:
    place = shutil.copytree(CHART, tmp_path / "hello")
    (place / ".helmignore").write_text(IGNORE)
    for name in FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x")
    (place / "docs" / "link.txt").symlink_to("../dx.txt")
    run(helm, "package", str(place), "--destination", str(tmp_path))
    (tmp_path / "ours.tgz").write_bytes(package_chart(place, name="hello", subject="chart 'hello'"))
    with tarfile.open(tmp_path / "hello-1.0.0.tgz") as theirs, tarfile.open(tmp_path / "ours.tgz") as ours:
        assert sorted(theirs.getnames()) == sorted(ours.getnames())


def test_what_helm_pushes_is_fetched(helm: list[str], tmp_path: Path) -> None:
    place = shutil.copytree(CHART, tmp_path / "hello")
    text = (place / "Chart.yaml").read_text().replace("version: 1.0.0", "version: 1.0.0+build.7", 1)
    (place / "Chart.yaml").write_text(text)
    run(helm, "package", str(place), "--destination", str(tmp_path))
    packed = tmp_path / "hello-1.0.0+build.7.tgz"
    try:
        with cncf_registry(tmp_path) as registry, Transport({registry.host: registry.settings}) as transport:
            run(helm, "push", "--plain-http", str(packed), f"oci://{registry.host}/charts")
            source = parse_chart(f"oci://{registry.host}/charts/hello", tmp_path)
            fetched = Charts(Registries(transport)).fetch(source, name="hello", version="1.0.0+build.7")
    except PartError as err:
        pytest.skip(str(err))
    assert fetched.data == packed.read_bytes()
