"""`doit info`, `doit dumpdb` and `doit schema`."""

import importlib
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tasks.cli.commands import COMMANDS, SCHEMAS
from tests.fixtures.benches.workbench import Workbench, make


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "site"])
def test_schema_prints_json(tmp_path: Path, name: str) -> None:
    ran = Workbench(place=tmp_path).doit("schema", name)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(json.loads(ran.out))


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if each.place.startswith("tasks.")])
def test_what_is_printed_as_json_has_a_schema(name: str) -> None:
    module, _, called = COMMANDS[name].place.partition(":")
    options = getattr(importlib.import_module(module), called).cmd_options
    assert name in SCHEMAS or "json" not in {each["long"] for each in options}


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
    assert set(found) == {"registry", "kubeconfig", "kube_context", "overrides", "on", "trust", "replicas", "host"}


def test_schema_of_a_site_without_a_spec(tmp_path: Path) -> None:
    ran = Workbench(place=tmp_path).doit("schema", "site")
    assert ran.code == 3
    assert "name another with spec=FILE" in ran.err
