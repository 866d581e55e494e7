"""A real application on a real node: the published ZenML server with its database, from the bundle to the uninstall."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.images.application import server_image
from tests.fixtures.images.images import Image
from tests.fixtures.parts.databases import mariadb
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.parts import PartError

OLDER, NEWER = "0.93.0", "0.94.6"
_RETRIES = ("--retry", "60", "--retry-delay", "2", "--retry-connrefused")
PASSWORD = "correct-horse-battery"
USER = f"""\
CREATE DATABASE zenml;
CREATE USER 'zenml'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON zenml.* TO 'zenml'@'%';
"""
VALUES = """\
zenml:
  image: {repository: "${image.server.repository}", tag: "${image.server.tag}", pullPolicy: IfNotPresent}
  database: {url: "mysql://zenml:${env.DB_PASSWORD}@%s:%d/zenml"}
  ingress: {host: zenml.site.test}
"""


@pytest.fixture(scope="module")
def images() -> Mapping[str, Image]:
    """The server's images, made where there is still a network."""
    try:
        return {version: server_image(version) for version in (OLDER, NEWER)}
    except PartError as err:
        pytest.skip(str(err))


@pytest.fixture
def site(images: Mapping[str, Image], node: Node, tmp_path: Path) -> Iterator[Site]:
    """The application's bundle with the older server; its database listens where pods reach it."""
    with ExitStack() as stack:
        try:
            port = stack.enter_context(mariadb(f"--bind-address={node.address}", sql=USER))
        except PartError as err:
            pytest.skip(str(err))
        helm = Helm.make(4, tmp_path, node)
        site = make_site(tmp_path / "site", node.registry, helm, node.new_namespace("zenml"), charts=("zenml",))
        for version, made in images.items():
            write_layout(site.bench.place / "images" / version, made, f"example.com/zenml-server:{version}")
        site.plan["releases"][0] |= {
            "timeout": "10m",
            "steady": "10s",
            "ignore_images": {"busybox": "helm test hook, never run here"},
        }
        site.values(VALUES % (node.address, port))
        site.env["DB_PASSWORD"] = PASSWORD
        carry(site, OLDER)
        yield site


def carry(site: Site, version: str) -> None:
    source = {"name": "server", "source": f"oci:images/{version}", "target": f"zenml-server:{version}"}
    site.bench.spec["images"] = [source]
    (site.bench.place / "airgap.lock").unlink(missing_ok=True)
    site.carry()


def asked(site: Site, path: str) -> str:
    """What the server answers, by its Service's address, once it listens: the chart has no probe."""
    address = site.get("service", "zenml")["spec"]["clusterIP"]
    argv = ["curl", "-sS", "--fail", "--max-time", "20", *_RETRIES, f"http://{address}{path}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def info(site: Site) -> dict[str, Any]:
    found = json.loads(asked(site, "/api/v1/info"))
    assert isinstance(found, dict)
    return found


def test_the_server_from_the_bundle_to_the_uninstall(site: Site) -> None:
    assert "helm:zenml" in site.install().steps
    assert asked(site, "/health") == "ok"
    assert (info(site)["version"], info(site)["database_type"]) == (OLDER, "mysql")
    generated = site.secret("zenml")["ZENML_SERVER_JWT_SECRET_KEY"]

    assert site.install().steps == []
    assert site.revision("zenml") == 1

    carry(site, NEWER)
    assert "helm:zenml" in site.install().steps
    assert info(site)["version"] == NEWER
    assert site.secret("zenml")["ZENML_SERVER_JWT_SECRET_KEY"] == generated, "`lookup` keeps it"
    job = site.get("job", "zenml-db-migration")
    assert job["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{NEWER}")
    assert job["status"]["succeeded"] == 1

    site.env["DB_PASSWORD"] = "wrong-horse"
    site.values((site.bench.place / "values/web.yaml").read_text() + "  replicaCount: 1\n")
    carry(site, NEWER)
    ran = site.refused()
    assert "timed out" not in ran.err
    assert re.search(r"Access\s+denied", ran.err), ran.err  # its log is cut into lines
    assert re.search(r"hook failed|still runs|ended", ran.err)
    assert not {PASSWORD, "wrong-horse"} & set(re.findall(r"[\w-]+", ran.out + ran.err))
    assert info(site)["version"] == NEWER, "what runs goes on"

    site.env["DB_PASSWORD"] = PASSWORD
    back = site.run("rollback")
    assert back.code == 0, back.out + back.err
    assert "release zenml: rolled back to revision 1 (now revision 5" in back.out
    assert "databases stay as they are" in back.out
    image = site.get("deployment", "zenml")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":{OLDER}"), image
    gone = site.run("diagnose", f"out={site.place / 'found'}")
    assert gone.code == 0, gone.err
    assert PASSWORD not in gone.out

    away = site.run("uninstall", "--yes")
    assert away.code == 0, away.out + away.err
    assert site.helm.cluster.get("deployments", "-n", site.namespace)["items"] == []
