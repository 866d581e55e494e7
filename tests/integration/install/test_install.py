"""`install` as it runs inside: the zipapp, a real registry, a real API server, helm 3 and helm 4."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def test_install_then_nothing_to_do_then_one_change(site: Site) -> None:
    site.carry()
    first = site.install()
    name = site.namespace
    assert first.steps == sorted(
        f"verify preflight transfer push:web namespace:{name} values:web helm:web health:web receipt".split()
    )
    assert site.revision("web") == 1
    assert "pushed     72.1 KB, already present 0 B" in first.out
    with site.registry.recorded() as requests:
        second = site.install()
    assert second.steps == []
    assert "nothing to do" in second.out
    assert site.revision("web") == 1
    assert {request.method for request in requests} == {"HEAD"}
    site.values(VALUES.replace("replicas: 1", "replicas: 3"))
    site.carry()
    third = site.install()
    assert "push:web" not in third.steps
    assert "helm:web" in third.steps
    assert site.revision("web") == 2


def test_the_receipt_tells_what_is_inside(site: Site) -> None:
    site.carry()
    site.install()
    receipt = json.loads((site.state / "receipt.json").read_text())
    manifest = json.loads((site.carried / "manifest.json").read_text())
    assert receipt["bundle"]["id"] == manifest["id"]
    assert receipt["images"][0]["digest"] == manifest["images"][0]["digest"]
    assert len(receipt["images"][0]["blobs"]) == 3
    assert receipt["releases"] == [{"name": "web", "namespace": site.namespace, "revision": 1, "chart": "web-1.0.0"}]
