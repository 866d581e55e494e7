"""An operator on a node whose pods run: one release brings it and its kind, another one of that kind."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.images.busybox import busybox_layer, program_layer
from tests.fixtures.images.images import image
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.parts import PartError

KIND = "widgets.tests.airgap.example"


@pytest.fixture
def site(node: Node, tmp_path: Path) -> Site:
    """The operator first, and in a release that needs it a Widget, of the same namespace."""
    try:
        made = image(busybox_layer(), program_layer(Path(asset("kubectl"))))
    except PartError as err:
        pytest.skip(str(err))
    helm = Helm.make(4, tmp_path, node)
    namespace = node.new_namespace("operator")
    site = make_site(tmp_path / "site", node.registry, helm, namespace, charts=("operator", "widgets"))
    shutil.rmtree(site.bench.place / "images/web")
    write_layout(site.bench.place / "images/web", made, "example.com/web:1.0")
    operator, widgets = site.plan["releases"]
    operator |= {"values": ["values/operator.yaml"], "timeout": "3m", "steady": "3s"}
    widgets |= {"values": ["values/widgets.yaml"], "needs": ["operator"]}
    return site


def write(site: Site, *fields: str, **widget: str) -> None:
    """The values of both: what the operator takes over from a Widget, and the Widget."""
    values = {"operator": {"image": "${image.web.ref}", "fields": fields}, "widgets": {"widget": widget}}
    for name, given in values.items():
        (site.bench.place / f"values/{name}.yaml").write_text(json.dumps(given))
    site.carry()


def reconciled(site: Site, **data: str) -> dict[str, Any]:
    """The ConfigMap that the operator has made of the Widget, once it says this."""
    deadline = time.monotonic() + 60
    while True:
        found = json.loads(
            site.helm.cluster.kubectl(
                "get", "configmaps", "-n", site.namespace, "-o", "json", "--field-selector=metadata.name=widgets"
            )
        )["items"]
        if found and found[0]["data"] == data:
            return dict(found[0])
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_an_operator_from_the_bundle_to_the_uninstall(site: Site) -> None:
    write(site, "colour", colour="red")
    assert not site.helm.cluster.kubectl("get", "crd", KIND, "--ignore-not-found")
    assert {"helm:operator", "helm:widgets"} <= set(site.install().steps)
    first = reconciled(site, colour="red")
    told = "--for=jsonpath={.status.made}=true"  # the operator does this after the ConfigMap
    site.helm.cluster.kubectl("wait", told, KIND, "widgets", "-n", site.namespace, "--timeout=60s")
    assert site.install().steps == []
    assert (site.revision("operator"), site.revision("widgets")) == (1, 1)

    definition = site.bench.place / "charts/operator/crds/widgets.yaml"
    colour = "                colour: {type: string}\n"
    assert colour in definition.read_text()
    definition.write_text(definition.read_text().replace(colour, f"{colour}                size: {{type: string}}\n"))
    assert site.bench.doit("lock").code == 0
    write(site, "colour", "size", colour="blue", size="large")
    kept = site.run("plan", "install")
    assert re.search(rf"{KIND}.*size", kept.out + kept.err), kept.out + kept.err
    site.plan["crds"] = "upgrade"
    write(site, "colour", "size", colour="blue", size="large")
    ran = site.install()
    assert f"helm:operator: CRD {KIND} is in now" in ran.out
    assert {"helm:operator", "helm:widgets"} <= set(ran.steps)
    second = reconciled(site, colour="blue", size="large")
    assert second["metadata"]["uid"] == first["metadata"]["uid"], "the Widget was never away"
    assert site.install().steps == []

    away = site.run("uninstall", "--yes")
    assert away.code == 0, away.out + away.err
    left = site.helm.cluster.kubectl("get", "configmaps,deployments,roles", "-n", site.namespace, "-o", "name").split()
    assert left == ["configmap/kube-root-ca.crt"], "what the operator made goes with its Widget"
    assert KIND in site.helm.cluster.kubectl("get", "crd", "-o", "name"), "helm never removes what crds/ brought"
    site.helm.cluster.kubectl("delete", "crd", KIND)
