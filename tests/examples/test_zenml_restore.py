"""Dumps of a site's databases, tried out: the right program, the password in its environment only, never the source."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT

PROGRAM = ROOT / "examples" / "zenml-pro" / "restore.py"
SOURCE = "--source=db.corp:3306/zenml"
SHOW = '#!/bin/sh\necho "$(basename "$0") $*"\necho "$MYSQL_PWD/$PGPASSWORD/$DATABASE_PASSWORD"\ncat\nexit 7\n'
ANSWER = """#!/bin/sh
case "$*" in
*table_name*) printf '%b' "$TABLES" ;;
*) echo "$*" >&2; echo "$ROWS" ;;
esac
"""


def run(
    place: Path, into: str, *more: str, script: str = SHOW, programs: tuple[str, ...] = (), **env: str
) -> "subprocess.CompletedProcess[str]":
    for name in programs:
        (place / name).write_text(script)
        (place / name).chmod(0o755)
    argv = [sys.executable, str(PROGRAM), f"--into={into}", SOURCE, "--setting=restore_test.workspace", *more]
    path = f"{place}{os.pathsep}/bin" if programs else str(place)
    given = {**os.environ, "PATH": path, "DATABASE_PASSWORD": "hush", **env}
    return subprocess.run(argv, env=given, input="the dump", capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("into", "program", "begins", "passwords"),
    [
        ("mysql://u%40x@h:1/d", "mysql", "mysql --host=h --port=1 --user=u@x --protocol=tcp d", "hush//"),
        ("mysql://u@h:1/d", "mariadb", "mariadb --host=h --port=1 --user=u --protocol=tcp d", "hush//"),
        ("postgres://u@h:1/d", "pg_restore", "pg_restore --host=h --port=1 --username=u --no-password ", "/hush/"),
    ],
)
def test_the_program_gets_the_dump_and_the_password(
    tmp_path: Path, into: str, program: str, begins: str, passwords: str
) -> None:
    done = run(tmp_path, into, programs=(program,))
    arguments, told, dump = done.stdout.splitlines()
    assert arguments.startswith(begins)
    assert (told, dump, done.returncode) == (passwords, "the dump", 7)


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["restore", "check"])
@pytest.mark.parametrize(
    ("into", "told"),
    [
        ("mysql://u@:3306/d", "restore_test.workspace.host is empty next: write restore_test.workspace into site.yaml"),
        ("mysql://u@DB.corp:3306/zenml", "DB.corp:3306/zenml is the database that the dump is from next: name another"),
        ("mysql://u@db.corp:3306/other", "mysql or mariadb is not on PATH next: "),
    ],
)
def test_what_is_refused(tmp_path: Path, into: str, told: str, check: tuple[str, ...]) -> None:
    done = run(tmp_path, into, *check)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "program", "names"),
    [("mysql", "mysql", ("`users`", "`a``b`")), ("postgres", "psql", ('"users"', '"a`b"'))],
)
def test_tables_and_rows_are_counted(tmp_path: Path, kind: str, program: str, names: tuple[str, str]) -> None:
    given = {"TABLES": "users\\na`b\\n", "ROWS": "12"}
    done = run(tmp_path, f"{kind}://u@h:1/d", "--check", script=ANSWER, programs=(program,), **given)
    assert (done.returncode, done.stdout) == (0, "2 tables, 12 rows\n"), done.stderr
    assert all(f"(SELECT COUNT(*) FROM {name})" in done.stderr for name in names)


@pytest.mark.parametrize(
    ("tables", "rows", "told"),
    [("", "", "d has 0 tables and no rows"), ("users\\n", "0", "d has 1 tables and no rows")],
)
def test_nothing_restored_is_an_error(tmp_path: Path, tables: str, rows: str, told: str) -> None:
    given = {"TABLES": tables, "ROWS": rows}
    done = run(tmp_path, "mysql://u@h:1/d", "--check", script=ANSWER, programs=("mysql",), **given)
    assert done.returncode == 1
    assert f"{told} next: " in done.stderr


def test_a_client_that_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "mysql://u@h:1/d", "--check", programs=("mysql",))
    assert done.returncode == 1
    assert "mysql ended with 7 next: " in done.stderr
