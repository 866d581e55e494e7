"""`doit info`, `doit dumpdb` and `doit schema`."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make


@pytest.mark.parametrize("name", ["airgap", "manifest", "plan"])
def test_schema_prints_json(tmp_path: Path, name: str) -> None:
    ran = Workbench(place=tmp_path).doit("schema", name)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_of_something_else(tmp_path: Path) -> None:
    assert Workbench(place=tmp_path).doit("schema", "other").code == 3


def test_schema_of_the_site_files_of_a_spec(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.write(
        {
            **bench.spec,
            "site": {"replicas": {"type": "integer", "default": 2}},
            "install": {"checks": [{"dns": "${site.host}"}]},
        }
    )
    ran = bench.doit("schema", "site")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)["properties"]
    assert found["replicas"] == {"type": "integer", "default": 2}
    assert set(found) == {"registry", "trust", "overrides", "kubeconfig", "kube_context", "replicas", "host"}


def test_schema_of_a_site_without_a_spec(tmp_path: Path) -> None:
    ran = Workbench(place=tmp_path).doit("schema", "site")
    assert ran.code == 3
    assert "name another with spec=FILE" in ran.err
