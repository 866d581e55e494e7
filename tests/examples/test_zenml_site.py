"""What the check of a ZenML Pro site finds in its facts, and that nothing is migrated without a backup."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "zenml-pro" / "check_site.py"
FACTS = {
    "control-plane": "https://zenml-pro.corp.example",
    "workspace": "https://zenml-workspace.corp.example",
    "control-plane-database": "mysql://db.corp.example:3306/zenml_pro",
    "workspace-database": "mysql://db.corp.example:3306/zenml_workspace",
    "workload-manager": "false",
}
SERVER = "0.93.0"
HELM = """#!/bin/sh
cat {place}/$3.json 2>/dev/null || echo "[]"
"""


def found(place: Path, *, server: str = SERVER, taken: str = "", **facts: str) -> list[str]:
    """The lines that are told; each has a next step."""
    helm = place / "helm"
    if not helm.exists():
        helm.write_text(HELM.format(place=place))
        helm.chmod(0o755)
    given = {**FACTS, **{name.replace("_", "-"): value for name, value in facts.items()}}
    argv = [sys.executable, str(PROGRAM), *(f"--{name}={value}" for name, value in given.items())]
    argv += ["--release=zenml-pro/zenml-pro=0.13.0", f"--release=zenml-workspace/zenml={server}"]
    env = {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}", "BACKUP_TAKEN": taken}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == bool(lines), done.stderr
    assert all(" next: " in line for line in lines), done.stderr
    return lines


def installed(place: Path, namespace: str, chart: str) -> None:
    (place / f"{namespace}.json").write_text(json.dumps([{"name": "x", "chart": chart}]))


def test_all_is_well(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    assert found(tmp_path, control_plane_database="postgres://db.corp.example:5432/zenml_pro") == []
    assert found(tmp_path, workload_manager="true") == []


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
def test_what_does_not_hold(tmp_path: Path, facts: dict[str, str], told: str) -> None:
    (line,) = found(tmp_path, **facts)
    assert told in line


def test_all_at_once(tmp_path: Path) -> None:
    lines = found(tmp_path, workspace=FACTS["control-plane"], workload_manager="1", control_plane_database="x://h/1")
    assert len(lines) == 3


def test_an_upgrade_wants_a_backup_of_what_runs(tmp_path: Path) -> None:
    installed(tmp_path, "zenml-pro", "zenml-pro-0.12.9")
    installed(tmp_path, "zenml-workspace", "zenml-0.92.0")
    control_plane, workspace = found(tmp_path)
    assert "zenml-pro-0.12.9 runs in zenml-pro, and this bundle brings 0.13.0" in control_plane
    assert "export BACKUP_TAKEN=zenml-0.92.0" in workspace
    (still,) = found(tmp_path, taken="zenml-0.92.0")
    assert still == control_plane
    assert found(tmp_path, taken="zenml-0.92.0, zenml-pro-0.12.9") == []


def test_the_same_versions_need_none(tmp_path: Path) -> None:
    installed(tmp_path, "zenml-pro", "zenml-pro-0.13.0")
    installed(tmp_path, "zenml-workspace", f"zenml-{SERVER}")
    assert found(tmp_path) == []


def test_no_helm_is_told_by_others(tmp_path: Path) -> None:
    (tmp_path / "helm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "helm").chmod(0o755)
    assert found(tmp_path) == []
