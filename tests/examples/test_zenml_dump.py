"""Dumps of a site's databases: the right program, and the password in its environment only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT

PROGRAM = ROOT / "examples" / "zenml-pro" / "dump.py"
SHOW = '#!/bin/sh\necho "$(basename "$0") $*"\necho "$MYSQL_PWD/$PGPASSWORD/$DATABASE_PASSWORD"\nexit 7\n'


def dump(place: Path, kind: str, *programs: str) -> "subprocess.CompletedProcess[str]":
    for name in programs:
        (place / name).write_text(SHOW)
        (place / name).chmod(0o755)
    argv = [sys.executable, str(PROGRAM), f"--kind={kind}", "--host=db", "--port=1", "--user=u", "--database=d"]
    env = {**os.environ, "PATH": f"{place}{os.pathsep}/bin" if programs else str(place), "DATABASE_PASSWORD": "hush"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("kind", "program", "shown"),
    [
        pytest.param("mysql", "mysqldump", "hush//", id="mysql"),
        pytest.param("postgres", "pg_dump", "/hush/", id="postgres"),
    ],
)
def test_the_program_gets_the_password_by_its_environment(tmp_path: Path, kind: str, program: str, shown: str) -> None:
    done = dump(tmp_path, kind, program)
    arguments, passwords = done.stdout.splitlines()
    assert arguments.startswith(f"{program} --host=db --port=1 --user")
    assert arguments.endswith(" d")
    assert (passwords, done.returncode) == (shown, 7)


def test_without_the_program(tmp_path: Path) -> None:
    done = dump(tmp_path, "postgres")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pg_dump is not on PATH next: " in done.stderr


@pytest.mark.parametrize(("program", "told"), [("mariadb-dump", ""), ("pg_dump", "no backup can be made: mysqldump ")])
def test_preflight_asks_whether_it_is_there(tmp_path: Path, program: str, told: str) -> None:
    (tmp_path / program).write_text(SHOW)
    (tmp_path / program).chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--check", "--kind=mysql"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(told)
    assert (" next: install the client" in done.stderr) == bool(told)
