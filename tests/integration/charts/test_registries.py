"""Charts through a real registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.charts.package import package_chart
from bundle.errors import RegistryError
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings, parse_chart
from clients.charts.source import Charts
from clients.http.transport import Transport
from clients.registry.repository import Registries
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "hello" / "chart"


@pytest.fixture
def charts(registry: RunningRegistry) -> Iterator[Charts]:
    with Transport({registry.host: registry.settings}) as transport:
        yield Charts(Registries(transport))


@pytest.fixture
def package() -> bytes:
    return package_chart(CHART, name="hello", subject="chart 'hello'")


def test_from_a_registry(registry: RunningRegistry, charts: Charts, package: bytes, tmp_path: Path) -> None:
    registry.put_chart("charts-a/hello", "1.0.0", package, b"signed")
    source = parse_chart(f"oci://{registry.host}/charts-a/hello", tmp_path)
    fetched = charts.fetch(source, name="hello", version="1.0.0", expected=Digest.of(package))
    assert (fetched.data, fetched.provenance) == (package, b"signed")


def test_an_absent_version(registry: RunningRegistry, charts: Charts, package: bytes, tmp_path: Path) -> None:
    registry.put_chart("charts-b/hello", "1.0.0", package)
    source = parse_chart(f"oci://{registry.host}/charts-b/hello", tmp_path)
    with pytest.raises(RegistryError, match="chart 'hello'") as caught:
        charts.fetch(source, name="hello", version="2.0.0")
    assert caught.value.status == 404
    assert "2.0.0" in caught.value.hint


def test_tls_registry(tls_registry: RunningRegistry, package: bytes, tmp_path: Path) -> None:
    tls_registry.put_chart("charts/hello", "1.0.0", package)
    source = parse_chart(f"oci://{tls_registry.host}/charts/hello", tmp_path)
    with Transport({tls_registry.host: HostSettings(ca=tls_registry.ca)}) as transport:
        assert Charts(Registries(transport)).fetch(source, name="hello", version="1.0.0").data == package
