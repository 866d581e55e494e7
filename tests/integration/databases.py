"""Real database servers on loopback, in the versions that Debian has: MariaDB and PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.integration.clusters import free_ports
from tests.integration.parts import PartError, program, running

_MARIADB_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
_MARIADB_SHARE = Path("/usr/share/mysql")
_POSTGRES = Path("/usr/lib/postgresql")


@contextmanager
def mariadb(*options: str, sql: str = "") -> Iterator[int]:
    """Start a new MariaDB with these options, after running `sql`; yields its port."""
    (port,) = free_ports(1)
    with _place("mariadb") as root:
        log, init = root / "log", root / "init.sql"
        (root / "data").mkdir()
        argv = [program("mariadbd"), "--no-defaults", f"--datadir={root}/data", f"--user={root.owner()}"]
        try:
            tables = [(_MARIADB_SHARE / name).read_text() for name in _MARIADB_TABLES]
        except OSError as err:
            raise PartError(f"MariaDB's own tables are not in {_MARIADB_SHARE}") from err
        script = "\n".join(["CREATE DATABASE mysql;", "USE mysql;", *tables])
        subprocess.run([*argv, "--bootstrap"], input=script, text=True, capture_output=True, check=True)
        init.write_text(sql)
        argv += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={root}/s", f"--init-file={init}", *options]
        with running(argv, log, ready=lambda: "ready for connections" in log.read_text()):
            yield port


@contextmanager
def postgresql(files: Mapping[str, str], **settings: str) -> Iterator[int]:
    """Start a new PostgreSQL that wants passwords; yields its port.

    `files` are written into its data directory, `settings` added to its configuration. It refuses to run as root, so
    its data goes to nobody then.
    """
    (port,) = free_ports(1)
    found = sorted(_POSTGRES.glob("*/bin/postgres"))
    if not found:
        raise PartError(f"PostgreSQL is not in {_POSTGRES}")
    with _place("postgres") as root:
        log, secret, data = root / "log", root / "secret", root / "data"
        secret.write_text("loopback-only")
        user: list[str] = []
        if os.geteuid() == 0:
            user = [program("setpriv"), "--reuid=nobody", "--clear-groups", "--"]
            for place in (root, secret):
                shutil.chown(place, "nobody")
        init = [
            str(found[-1].with_name("initdb")),
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--no-sync",
            str(data),
        ]
        subprocess.run([*user, *init], capture_output=True, check=True, cwd=root)
        for name, text in files.items():
            (data / name).write_text(text)
            (data / name).chmod(0o600)
            shutil.chown(data / name, data.owner())
        argv = [str(found[-1]), "-D", str(data), "-p", str(port), "-k", "", "-h", "127.0.0.1"]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with running([*user, *argv], log, ready=lambda: "ready to accept connections" in log.read_text()):
            yield port


@contextmanager
def _place(name: str) -> Iterator[Path]:
    """Not below pytest's directory: a socket's path may have 107 bytes only, and nobody must get there."""
    root = Path(tempfile.mkdtemp(prefix=f"airgap-{name}-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
