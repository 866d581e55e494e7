"""`doit info`, `doit dumpdb` and `doit schema`."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench


@pytest.mark.parametrize("name", ["airgap", "manifest"])
def test_schema_prints_json(tmp_path: Path, name: str) -> None:
    ran = Workbench(place=tmp_path).doit("schema", name)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_of_something_else(tmp_path: Path) -> None:
    assert Workbench(place=tmp_path).doit("schema", "other").code == 3
