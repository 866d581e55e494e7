"""A StatefulSet with a volume, on a node whose pods run: what it wrote is there after an upgrade."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.fates import pod
from tests.fixtures.images.busybox import busybox_image
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.parts import PartError


@pytest.fixture
def site(node: Node, tmp_path: Path) -> Site:
    try:
        made = busybox_image()
    except PartError as err:
        pytest.skip(str(err))
    helm = Helm.make(4, tmp_path, node)
    site = make_site(tmp_path / "site", node.registry, helm, node.new_namespace("store"), charts=("fate",))
    shutil.rmtree(site.bench.place / "images/web")
    write_layout(site.bench.place / "images/web", made, "example.com/web:1.0")
    return site


def release(site: Site, name: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A release of chart `fate` with these values."""
    (site.bench.place / f"values/{name}.yaml").write_text(json.dumps(values))
    given = {"name": name, "chart": "fate", "namespace": site.namespace, "values": [f"values/{name}.yaml"]}
    return {**given, "timeout": "3m", "steady": "5s", **more}


def script(text: str, **more: Any) -> dict[str, Any]:
    return {"name": "main", "image": "${image.web.ref}", "command": ["/bin/sh", "-c", text.replace("$", "$$")], **more}


def log(site: Site, *args: str, until: str) -> str:
    deadline = time.monotonic() + 60
    while until not in (said := site.helm.cluster.kubectl("logs", "-n", site.namespace, *args)):
        assert time.monotonic() < deadline, said
        time.sleep(0.5)
    return said


def test_a_volume_keeps_what_is_in_it_over_an_upgrade(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"disk-{site.namespace}"}}
    size, modes = {"storage": "10Mi"}, ["ReadWriteOnce"]
    volume |= {"spec": {"capacity": size, "accessModes": modes, "storageClassName": "disk"}}
    volume["spec"] |= {"hostPath": {"path": str(disk)}}  # type: ignore[operator]
    claim: dict[str, Any] = {"metadata": {"name": "data"}}
    claim["spec"] = {"accessModes": modes, "storageClassName": "disk", "resources": {"requests": size}}

    def values(version: int) -> dict[str, Any]:
        text = f"echo started by {version} >> /data/log; cat /data/log; exec sleep 3600"
        main = script(text, volumeMounts=[{"name": "data", "mountPath": "/data"}])
        return {**pod(main), "kind": "StatefulSet", "spec": {"volumeClaimTemplates": [claim]}, "objects": [volume]}

    site.plan["releases"] = [release(site, "store", values(1))]
    site.carry()
    site.install()
    release(site, "store", values(2))
    site.carry()
    assert "helm:store" in site.install().steps
    assert log(site, "store-0", until="by 2").splitlines() == ["started by 1", "started by 2"]
    assert (disk / "log").read_text().count("\n") == 2
