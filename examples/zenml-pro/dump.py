"""Dumps one database of a ZenML Pro site to standard output, by mysqldump (or mariadb-dump) or pg_dump.

The kind of the control plane's database is a fact of the site, so this chooses the program. The password is read from
DATABASE_PASSWORD and handed on by the environment, never as an argument. Needs only Python's standard library, and the
program. With --check it only looks whether that is there, and says so as a warning where it is not: preflight asks it.
"""

import argparse
import os
import shutil
import sys

PROGRAMS = {"mysql": ("mysqldump", "mariadb-dump"), "postgres": ("pg_dump",)}
# As it is at one instant; no tablespaces: to see them needs a right (PROCESS) that users of one database have not.
_MYSQL = ("--single-transaction", "--routines", "--triggers", "--no-tablespaces")
PASSWORDS = {"mysql": "MYSQL_PWD", "postgres": "PGPASSWORD"}


def command(asked: argparse.Namespace, program: str) -> list[str]:
    """The dump of a whole database as it is at one instant; what was there goes when it is restored."""
    if asked.kind == "mysql":
        reached = [f"--host={asked.host}", f"--port={asked.port}", f"--user={asked.user}", "--protocol=tcp"]
        return [program, *reached, *_MYSQL, asked.database]
    reached = [f"--host={asked.host}", f"--port={asked.port}", f"--username={asked.user}", "--no-password"]
    return [program, *reached, "--format=custom", asked.database]


def main() -> None:
    """Become the program; its exit code is the dump's. 1 when it is not there."""
    parser = argparse.ArgumentParser(description="Dump one database to standard output.")
    parser.add_argument("--kind", required=True, choices=sorted(PROGRAMS))
    parser.add_argument("--check", action="store_true")
    for name in ("host", "port", "user", "database"):
        parser.add_argument(f"--{name}", required="--check" not in sys.argv)
    asked = parser.parse_args()
    program = next((found for name in PROGRAMS[asked.kind] if (found := shutil.which(name))), None)
    if not program:
        names = " or ".join(PROGRAMS[asked.kind])
        told = f"{names} is not on PATH next: install the client of the database on this machine"
        if asked.check:
            print(f"no backup can be made: {told}", file=sys.stderr)
            return
        sys.exit(told)
    if asked.check:
        return
    env = {**os.environ, PASSWORDS[asked.kind]: os.environ["DATABASE_PASSWORD"]}
    del env["DATABASE_PASSWORD"]
    os.execve(program, command(asked, program), env)  # noqa: S606 - it replaces us, so that signals reach it


if __name__ == "__main__":
    main()
