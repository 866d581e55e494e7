"""What the check of backups in the cluster finds in a site's settings."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from schema.loading.load import load
from schema.site.settings import completed
from schema.site.site import Site
from tests.fixtures.places import ROOT

PROGRAM = ROOT / "examples" / "zenml-pro" / "check_backups.py"
SITE = completed(Site(), load(ROOT / "airgap.yaml", env={}).settings).facts
IMAGES = {"image": "r.corp/mariadb:11.4", "postgres_image": "r.corp/postgres:16"}


def found(backup: dict[str, Any], *, is_on: bool = True, kind: str = "mysql") -> list[str]:
    """What is refused; each has a next step."""
    site = {**SITE, "backups": is_on, "backup": {**SITE["backup"], **backup}}
    site["control_plane"] = {"database": {"type": kind}}
    env = {**os.environ, "AIRGAP_SITE": json.dumps(site)}
    argv = [sys.executable, str(PROGRAM)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == bool(lines), done.stderr
    assert all(" next: " in line for line in lines), done.stderr
    return lines


@pytest.mark.parametrize("kind", ["mysql", "postgres"])
@pytest.mark.parametrize("schedule", ["30 2 * * *", "*/15 0-6 * JAN MON-FRI", "@daily"])
def test_what_can_run(kind: str, schedule: str) -> None:
    assert found({**IMAGES, "schedule": schedule}, kind=kind) == []


def test_mysql_needs_one_image() -> None:
    assert found({"image": "r.corp/mariadb:11.4"}) == []


@pytest.mark.parametrize(
    ("backup", "told"),
    [
        ({"image": ""}, "backup.image is empty"),
        ({"postgres_image": ""}, "backup.postgres_image is empty, and the control plane has PostgreSQL"),
        ({"schedule": "02:30"}, "backup.schedule is '02:30'"),
        ({"schedule": "30 2 * *"}, "backup.schedule is '30 2 * *'"),
        ({"size": "20"}, "backup.size is '20'"),
        ({"keep": -1}, "backup.keep is -1"),
        ({"keep_days": -1}, "backup.keep_days is -1"),
    ],
    ids=str,
)
def test_what_can_not(backup: dict[str, Any], told: str) -> None:
    (line,) = found({**IMAGES, **backup}, kind="postgres")
    assert told in line


def test_all_at_once() -> None:
    assert len(found({"size": "x", "keep": -1})) == 3


def test_what_is_off_is_not_looked_at() -> None:
    assert found({}, is_on=False) == []


def test_a_wrong_type_is_left_to_preflight() -> None:
    assert found({**IMAGES, "keep": "all", "schedule": 7}) == []
