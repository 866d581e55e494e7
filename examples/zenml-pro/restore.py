"""Reads one dump of a ZenML Pro site from standard input into a scratch database, by mysql (or mariadb) or pg_restore.

The password is read from DATABASE_PASSWORD and handed on by the environment, never as an argument. It refuses the
database that the dump is from (--source). With --check it reads nothing, and looks at what was restored: there are
tables, and rows in them. Needs only Python's standard library, and the programs.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

PASSWORDS = {"mysql": "MYSQL_PWD", "postgres": "PGPASSWORD"}
RESTORE = {"mysql": ("mysql", "mariadb"), "postgres": ("pg_restore",)}
ASK = {"mysql": ("mysql", "mariadb"), "postgres": ("psql",)}
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = "
SCHEMA = {"mysql": "DATABASE()", "postgres": "'public'"}
QUOTE = {"mysql": "`", "postgres": '"'}


class RestoreError(Exception):
    """What keeps the test from being made, and ` next: ` what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The scratch database."""

    kind: str
    user: str
    host: str
    port: int
    database: str

    @classmethod
    def of(cls, address: str) -> "Target":
        """Of KIND://USER@HOST:PORT/DATABASE; HOST is empty where the site names none."""
        parts = urlsplit(address)
        user, _, where = parts.netloc.rpartition("@")
        host, _, port = where.rpartition(":")
        return cls(kind=parts.scheme, user=unquote(user), host=host, port=int(port), database=parts.path[1:])


def found(programs: tuple[str, ...]) -> str:
    """The path of the first of these that is there."""
    for name in programs:
        if path := shutil.which(name):
            return path
    names = " or ".join(programs)
    raise RestoreError(f"{names} is not on PATH next: install the client of the database on this machine")


def refuse(asked: Target, source: str, setting: str) -> None:
    """Never the database that the dump is from, and never one that nobody named."""
    if not asked.host:
        raise RestoreError(
            f"{setting}.host is empty next: write {setting} into site.yaml: an empty database on a server "
            "for tests, and a user who has rights on that one alone"
        )
    here = f"{asked.host}:{asked.port}/{asked.database}"
    if here.lower() == source.lower():
        raise RestoreError(f"{here} is the database that the dump is from next: name another one in {setting}")


def reached(asked: Target) -> list[str]:
    """The options by which all programs of a kind reach the database."""
    where = [f"--host={asked.host}", f"--port={asked.port}"]
    if asked.kind == "mysql":
        return [*where, f"--user={asked.user}", "--protocol=tcp"]
    return [*where, f"--username={asked.user}", "--no-password"]


def restore_command(asked: Target) -> list[str]:
    """What was there goes, and nobody's accounts are needed."""
    program = found(RESTORE[asked.kind])
    if asked.kind == "mysql":
        return [program, *reached(asked), asked.database]
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--exit-on-error"]
    return [program, *reached(asked), *options, f"--dbname={asked.database}"]


def ask(asked: Target, statement: str, env: Mapping[str, str]) -> list[str]:
    """The lines that a statement gives."""
    program = found(ASK[asked.kind])
    own = ["--batch", "--skip-column-names", "--execute"]
    if asked.kind == "postgres":
        own = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--command"]
    argv = [program, *reached(asked), *own, statement, asked.database]
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RestoreError(f"{os.path.basename(program)} ended with {done.returncode} next: see what it says above")
    return [line for line in done.stdout.splitlines() if line]


def look(asked: Target, env: Mapping[str, str]) -> str:
    """How many tables and rows there are; none of either is an error."""
    quote = QUOTE[asked.kind]
    tables = ask(asked, _TABLES + SCHEMA[asked.kind], env)
    names = [f"{quote}{name.replace(quote, quote * 2)}{quote}" for name in tables]
    counted = " + ".join(f"(SELECT COUNT(*) FROM {name})" for name in names)  # noqa: S608 - quoted, of the server itself
    rows = int(ask(asked, f"SELECT {counted}", env)[0]) if tables else 0
    if not rows:
        raise RestoreError(f"{asked.database} has {len(tables)} tables and no rows next: look at what the dump holds")
    return f"{len(tables)} tables, {rows} rows"


def main() -> None:
    """Become the program that restores; its exit code is the restore's. 1 where that can't be, or for a check."""
    parser = argparse.ArgumentParser(description="Restore one dump into a scratch database, or look at it.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--into", required=True, metavar="KIND://USER@HOST:PORT/DATABASE")
    parser.add_argument("--source", required=True, metavar="HOST:PORT/DATABASE", help="what the dump is from")
    parser.add_argument("--setting", required=True, help="of the site file, that names the scratch database")
    given = parser.parse_args()
    asked = Target.of(given.into)
    try:
        refuse(asked, given.source, given.setting)
        env = {**os.environ, PASSWORDS[asked.kind]: os.environ["DATABASE_PASSWORD"]}
        del env["DATABASE_PASSWORD"]
        if given.check:
            print(look(asked, env))
            return
        argv = restore_command(asked)
    except RestoreError as err:
        sys.exit(str(err))
    os.execve(argv[0], argv, env)  # noqa: S606 - it replaces us, so that the dump and signals reach it


if __name__ == "__main__":
    main()
