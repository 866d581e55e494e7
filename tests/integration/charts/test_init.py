"""`init --from` a chart: five as projects publish them, from a directory, a package, a registry and a repository."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bundle.charts.package import package_chart
from schema.loading.load import load
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.places import ROOT
from tests.fixtures.servers.website import Page, Website, website

CHARTS = ROOT / "tests" / "fixtures" / "drafts" / "charts"
IMAGES = {  # certain, suspected, and what no value of the chart sets
    "cert-manager": (3, 0, []),
    "ingress-nginx": (2, 0, []),
    "operator": (2, 1, ["busybox:1.36"]),
    "prometheus": (3, 0, []),
    "wordpress": (2, 1, []),
}


def chart(name: str) -> tuple[str, bytes]:
    """Version and package."""
    version = yaml.safe_load((CHARTS / name / "Chart.yaml").read_text())["version"]
    return version, package_chart(CHARTS / name, name=name, subject=name)


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with helm."""
    place = tmp_path_factory.mktemp("bin")
    try:
        (place / "helm").symlink_to(asset("helm3"))
    except PartError as err:
        pytest.skip(str(err))
    return f"{place}:/usr/bin:/bin"


@pytest.fixture
def repository() -> Iterator[Website]:
    with website() as site:
        yield site


def init(place: Path, helm: str, *words: str, **env: str) -> str:
    """What `airgap init project --from ...` says."""
    done = subprocess.run(
        [sys.executable, "-m", "airgap", "init", "project", *words],
        cwd=place,
        env={**os.environ, "PATH": helm, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(project: Path, name: str, out: str) -> None:
    """All images are in the spec, and the chart's values set those that it lets be set."""
    certain, suspected, not_set = IMAGES[name]
    assert out.count("\nimage  ") == certain
    assert out.count("\nsuspected, not added: ") == suspected
    assert [line.split()[5] for line in out.splitlines() if line.startswith("not set by a value: ")] == not_set
    spec = load(project / "airgap.yaml", env={})
    assert len(spec.images) == certain
    values = yaml.safe_load((project / f"values/{name}.yaml").read_text())
    assert json.dumps(values).count("${image.") >= certain - len(not_set)


@pytest.mark.parametrize("name", IMAGES)
def test_a_directory(name: str, helm: str, tmp_path: Path) -> None:
    check(tmp_path / "project", name, init(tmp_path, helm, "--from", str(CHARTS / name)))


@pytest.mark.parametrize("name", IMAGES)
def test_a_package(name: str, helm: str, tmp_path: Path) -> None:
    version, package = chart(name)
    (tmp_path / f"{name}-{version}.tgz").write_bytes(package)
    check(tmp_path / "project", name, init(tmp_path, helm, "--from", f"{name}-{version}.tgz"))


@pytest.mark.parametrize("name", IMAGES)
def test_a_registry(name: str, helm: str, tls_registry: RunningRegistry, tmp_path: Path) -> None:
    version, package = chart(name)
    tls_registry.put_chart(f"posted/{name}", version, package)
    source = f"oci://{tls_registry.host}/posted/{name}:{version}"
    check(tmp_path / "project", name, init(tmp_path, helm, "--from", source, SSL_CERT_FILE=str(tls_registry.ca)))


@pytest.mark.parametrize("name", IMAGES)
def test_a_repository(name: str, helm: str, repository: Website, tmp_path: Path) -> None:
    version, package = chart(name)
    entries = {name: [{"version": each, "urls": [f"{name}-{each}.tgz"]} for each in ("0.0.1", version)]}
    repository.pages["/index.yaml"] = Page(body=json.dumps({"entries": entries}).encode())
    repository.pages[f"/{name}-{version}.tgz"] = Page(body=package)
    check(tmp_path / "project", name, init(tmp_path, helm, "--from", repository.url, "--chart", name))


def test_there_are_five() -> None:
    assert sorted(IMAGES) == sorted(each.name for each in CHARTS.iterdir())
