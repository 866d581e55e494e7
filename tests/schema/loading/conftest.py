"""The spec that says everything, loaded."""

from pathlib import Path

import pytest

from schema.spec.spec import Spec
from tests.fixtures.made.full_spec import FULL, FULL_HEAD, make, spec


@pytest.fixture
def full(tmp_path: Path) -> Spec:
    make(tmp_path, "certs/ca.pem", "certs/me.pem", "certs/me.key", "chart/Chart.yaml", "notes.md", "values/web.yaml")
    return spec(tmp_path, FULL, FULL_HEAD, HOST="inside.example", PW="hunter2", DB_URL="hunter2")
