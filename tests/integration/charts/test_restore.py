"""The flagship's dump and restore programs on a real PostgreSQL."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.parts.databases import postgresql
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.places import ROOT

EXAMPLE = ROOT / "examples" / "zenml-pro"
PASSWORD = "loopback-only"


@pytest.mark.database
def test_a_dump_of_postgresql_comes_into_a_scratch_database(tmp_path: Path) -> None:
    """Twice: what an earlier test left there goes. An empty database is no restored one."""
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    try:
        with postgresql({}) as port:
            psql = [program("psql"), "--host=127.0.0.1", f"--port={port}", f"--username={user}", "--no-psqlrc", "-qc"]
            for database, statement in (
                ("postgres", "CREATE DATABASE app"),
                ("postgres", "CREATE DATABASE scratch"),
                ("app", 'CREATE TABLE "a b""c" AS SELECT n FROM generate_series(1, 1000) AS n'),
                ("app", "CREATE TABLE users AS SELECT 'ada' AS name"),
            ):
                subprocess.run([*psql, statement, database], env={"PGPASSWORD": PASSWORD}, check=True)
            where = ["--kind=postgres", "--host=127.0.0.1", f"--port={port}", f"--user={user}"]
            dump = [sys.executable, str(EXAMPLE / "dump.py"), *where, "--database=app"]
            restore = [sys.executable, str(EXAMPLE / "restore.py"), "--setting=restore_test.control_plane"]
            restore += [f"--source=127.0.0.1:{port}/app", f"--into=postgres://{user}@127.0.0.1:{port}/scratch"]
            env = {**os.environ, "DATABASE_PASSWORD": PASSWORD}
            empty = subprocess.run([*restore, "--check"], env=env, capture_output=True, text=True, check=False)
            assert (empty.returncode, empty.stderr.partition(" next: ")[0]) == (1, "scratch has 0 tables and no rows")
            with open(tmp_path / "dump", "wb") as to:
                subprocess.run(dump, env=env, stdout=to, check=True)
            for _ in range(2):
                with open(tmp_path / "dump", "rb") as data:
                    subprocess.run(restore, env=env, stdin=data, check=True)
            found = subprocess.run([*restore, "--check"], env=env, capture_output=True, text=True, check=True)
    except PartError as err:
        pytest.skip(str(err))
    assert found.stdout == "2 tables, 1001 rows\n"
