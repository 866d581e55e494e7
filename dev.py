"""What developers run: `doit -f dev.py NAME`, `doit -f dev.py list` shows them. `.ci/run` calls the same.

The programs are those of the environment that doit runs in. Nothing is remembered: each task runs whenever it is named.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

from doit.exceptions import TaskFailed

DOIT_CONFIG = {
    "backend": "sqlite3",
    "dep_file": ":memory:",
    "default_tasks": ["lint", "types"],
    "continue": True,
    "verbosity": 2,
}
LOCK = "requirements.lock"
FLOORS = "build/floors"

Task = dict[str, Any]


def module(name: str, *words: str) -> list[str]:
    """The command that runs a module with this very Python."""
    return [sys.executable, "-m", name, *words]


def locking(*words: str) -> Task:
    """A task that writes the lock: every Python that we support, hashes, and the name of no host."""
    argv = module("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--all-extras")
    # pip with --require-hashes takes the newest of PACKAGE[EXTRA] where the lock only has PACKAGE.
    argv += [
        "--no-strip-extras",
        "--generate-hashes",
        "--custom-compile-command",
        "doit -f dev.py pins",
        "pyproject.toml",
        "-o",
        LOCK,
    ]
    return {"actions": [[*argv, *words]]}


def task_lint() -> Task:
    """check style and format (ruff)"""
    return {"actions": [module("ruff", "check", "."), module("ruff", "format", "--check", ".")]}


def task_types() -> Task:
    """check types (mypy)"""
    return {"actions": [module("mypy")]}


def task_test() -> Task:
    """run all tests, two files at once"""
    return {"actions": [module("pytest", "-n", "2", "--dist", "loadfile")]}


def task_fuzz() -> Task:
    """give every parser of outside input what nobody wrote, for five minutes; what falls is kept in build/fuzz"""
    return {"actions": [module("tests.fuzz.run")]}


def task_bench() -> Iterator[Task]:
    """compare with other tools; pull alone moves gigabytes (benchmarks/README.md)"""
    for name in ("pull", "push", "noop", "crossing"):
        yield {"name": name, "actions": [module("benchmarks.run", name)]}


def task_pins() -> Task:
    """write requirements.lock for what pyproject.toml declares now; other pins stay"""
    return locking()


def task_upgrade() -> Task:
    """write requirements.lock with the newest versions"""
    return locking("--upgrade")


def task_locked() -> Task:
    """check that a bundle made here carries the versions of requirements.lock in its airgap.pyz"""
    return {"actions": [locked]}


def locked() -> TaskFailed | None:
    """Compare what is installed with the lock."""
    from tasks.assemble import packages  # all else here needs no more than doit
    from tasks.assemble.zipapp import THEIR_PACKAGES

    differing = packages.unlocked(packages.installed(THEIR_PACKAGES.values()))
    return TaskFailed(f"not the locked versions: {', '.join(differing)}") if differing else None


def task_floors() -> Task:
    """try the oldest versions that pyproject.toml admits, on the tests of clients/ and schema/"""
    python = os.path.join(FLOORS, "bin", "python")
    install = module("uv", "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct")
    return {
        "actions": [
            module("venv", "--clear", FLOORS),
            [*install, "-e", ".[test]"],
            module("uv", "pip", "list", "--python", python),
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/clients", "tests/schema"],
        ]
    }
