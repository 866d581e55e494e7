"""What the check of a ZenML Pro site finds in its facts."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.fixtures.places import ROOT

PROGRAM = ROOT / "examples" / "zenml-pro" / "check_site.py"
FACTS = {
    "control-plane": "https://zenml-pro.corp.example",
    "workspace": "https://zenml-workspace.corp.example",
    "control-plane-database": "mysql://db.corp.example:3306/zenml_pro",
    "workspace-database": "mysql://db.corp.example:3306/zenml_workspace",
    "workload-manager": "false",
}
SERVER = "0.93.0"


def found(*, server: str = SERVER, **facts: str) -> list[str]:
    """The lines that are told; each has a next step."""
    given = {**FACTS, **{name.replace("_", "-"): value for name, value in facts.items()}, "server-version": server}
    argv = [sys.executable, str(PROGRAM), *(f"--{name}={value}" for name, value in given.items())]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == bool(lines), done.stderr
    assert all(" next: " in line for line in lines), done.stderr
    return lines


def test_all_is_well() -> None:
    assert found() == []
    assert found(control_plane_database="postgres://db.corp.example:5432/zenml_pro") == []
    assert found(workload_manager="true") == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"control_plane_database": "sqlite://h:1/x"}, "control_plane.database.type is 'sqlite'"),
        ({"control_plane_database": "mysql+pymysql://h:1/x"}, "control_plane.database.type is 'mysql+pymysql'"),
        ({"workspace_database": FACTS["control-plane-database"]}, "have one database, 'zenml_pro'"),
        ({"workspace_database": "mysql://h:1/"}, "workspace.database.name is ''"),
        ({"workspace_database": "mysql://h:1/a/b?x"}, "workspace.database.name is 'a/b'"),
        ({"workspace": FACTS["control-plane"]}, "have one host"),
        ({"workspace": "https://h.corp.example:8443"}, "workspace.host is 'h.corp.example:8443'"),
        ({"control_plane": "https://h.corp.example/zenml"}, "control_plane.host is 'h.corp.example/zenml'"),
        ({"workload_manager": "yes"}, "workload_manager is 'yes'"),
        (
            {"workload_manager": "true", "server": "0.89.1"},
            "needs a server of 0.90.0 or later, this bundle brings 0.89.1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_hold(facts: dict[str, str], told: str) -> None:
    (line,) = found(**facts)
    assert told in line


def test_all_at_once() -> None:
    lines = found(workspace=FACTS["control-plane"], workload_manager="1", control_plane_database="x://h/1")
    assert len(lines) == 3


ENTRY: dict[str, Any] = {
    "name": "b",
    "host": "zenml-b.corp.example",
    "database": {"host": "db.corp.example", "port": 3306, "name": "b"},
}


def among(*entries: dict[str, object], **facts: str) -> list[str]:
    return found(workspaces=json.dumps(list(entries)), **facts)


def test_workspaces_that_are_apart() -> None:
    other = {**ENTRY, "name": "c", "host": "zenml-c.corp.example", "database": {**ENTRY["database"], "name": "c"}}
    assert among(ENTRY, other) == []
    own = {"workspace": "https://zenml-b.corp.example", "workspace_database": "mysql://db.corp.example:3306/b"}
    assert among(ENTRY, other, name="b", suffix="-b", **own) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"name": "main"}, "workspace.name 'main' is in `workspaces` too"),
        ({"host": "zenml-workspace.corp.example"}, "workspaces 'main' and 'b' have one host"),
        (
            {"database": {"host": "db.corp.example", "port": 3306, "name": "zenml_workspace"}},
            "workspaces 'main' and 'b' have one database, 'zenml_workspace'",
        ),
    ],
    ids=["name", "host", "database"],
)
def test_workspaces_that_are_not(entry: dict[str, object], told: str) -> None:
    (line,) = among({**ENTRY, **entry})
    assert told in line


def test_two_of_the_list_are_compared_once() -> None:
    twin = {**ENTRY, "name": "c"}
    own = {"workspace": "https://zenml-b.corp.example", "workspace_database": "mysql://db.corp.example:3306/b"}
    assert among(ENTRY, twin, name="b", suffix="-b", **own) == []
    assert len(among(ENTRY, twin, name="c", suffix="-c", **own)) == 2
    (line,) = among(ENTRY, name="b", suffix="-b", workspace="https://h.corp.example:8443")
    assert line.startswith("workspaces (b).host is 'h.corp.example:8443'")
