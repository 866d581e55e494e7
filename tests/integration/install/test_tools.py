"""helm and kubectl from the bundle or from PATH, missing or made for another machine; charts as OCI artifacts."""

import os
import shutil
import struct
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.parts.clusters import Cluster, asset
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry


@pytest.fixture
def helm(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Helm:
    """One helm is enough here."""
    return Helm.make(4, tmp_path_factory.mktemp("helm"), cluster)


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def carry_tools(site: Site, **tools: Path) -> None:
    """Put programs into the bundle, and nothing but the system's own on PATH."""
    for name, path in tools.items():
        shutil.copy(path, site.bench.place / name)
    site.bench.spec["files"] = [{"name": name, "source": name, "tool": True} for name in tools]
    site.bench.write()
    bare = site.place / "bare"
    bare.mkdir()
    site.env["PATH"] = str(bare)
    site.carry()


def test_tools_come_from_the_bundle(site: Site) -> None:
    carry_tools(site, helm=Path(asset("helm4")), kubectl=Path(asset("kubectl")))
    site.install()
    assert site.revision("web") == 1
    assert os.access(next((site.state / "carried").rglob("tools/helm")), os.X_OK)


def test_missing_tools_are_named_before_the_first_change(site: Site) -> None:
    carry_tools(site)
    ran = site.run("install")
    assert ran.code == 1
    assert "helm is not installed; looked in" in ran.err
    assert "kubectl is not installed; looked in" in ran.err
    assert "tool: true" in ran.err
    assert "push:web" not in ran.steps


def test_a_tool_for_another_machine_is_one_clear_line(site: Site, tmp_path: Path) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 183, 1) + bytes(40)  # aarch64
    foreign = tmp_path / "foreign"
    foreign.write_bytes(elf)
    carry_tools(site, helm=foreign, kubectl=Path(asset("kubectl")))
    ran = site.run("install")
    assert ran.code == 1
    assert "helm does not run on this machine" in ran.err, ran.err
    assert site.revision("web") == 0


def test_charts_are_pushed_too(site: Site, helm: Helm, tmp_path: Path) -> None:
    registry = site.bench.spec["registry"]
    assert isinstance(registry, dict)
    registry["charts"] = True
    site.bench.write()
    site.carry()
    ran = site.install()
    assert "push:chart-web" in ran.steps
    address = f"oci://{site.registry.host}/{site.namespace}/charts/web"
    helm.run("pull", address, "--version", "1.0.0", "--plain-http", "--destination", str(tmp_path))
    assert (tmp_path / "web-1.0.0.tgz").read_bytes() == (site.carried / "charts/web-1.0.0.tgz").read_bytes()
    assert site.install().steps == []
