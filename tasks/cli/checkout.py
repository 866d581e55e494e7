"""The way from doit's own command into this program, in a checkout.

doit imports what pyproject.toml names before anything of ours can run, and a module that is not there ends in its
traceback. So pyproject.toml names a loader and nothing of ours: the installed distribution brings it (an entry point),
and it begins the program; where there is no installation, doit's own loader of that name loads dodo.py, which says so.
"""

import importlib
import inspect
import os
import sys
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

import doit
from doit.cmd_base import DodoTaskLoader
from doit.exceptions import InvalidDodoFile

from tasks.cli.commands import places
from tasks.cli.program import Program
from tasks.runtime.installation import CHECKOUT, how_to_install, missing_package

_NAMED = b'loader = "airgap"'  # in the pyproject.toml of where doit starts


class _Loader(DodoTaskLoader):  # type: ignore[misc]
    """doit's, that says in one line which package is missing, and takes our dodo.py in a project of one's own."""

    def setup(self, opt_values: Any) -> None:
        """Called by doit: load dodo.py."""
        try:
            if _is_checkout(Path(opt_values["dodoFile"]).resolve().parent):
                super().setup(opt_values)
            else:
                self.namespace = dict(inspect.getmembers(importlib.import_module("dodo")))
        except ModuleNotFoundError as err:
            missing = missing_package(err)
            if not missing:
                raise
            raise InvalidDodoFile(missing) from err


def enter() -> NoReturn:
    """The entry point `doit.LOADER`: doit calls it first of all, and goes on as this program."""
    sys.exit(Program(_Loader(), places("connected")).run(sys.argv[1:]))


def require_program(dodo: str) -> None:
    """To be called by the file `dodo` first: an InvalidDodoFile in one line unless it is this program that loads it."""
    checkout = Path(dodo).resolve().parent
    if Program.running and checkout == CHECKOUT:
        return
    cwd = Path(doit.get_initial_workdir() or os.curdir).resolve()
    if Program.running:
        raise InvalidDodoFile(
            f"this doit runs the checkout {CHECKOUT}, and this is {checkout}; next: {how_to_install(checkout)}"
        )
    if not _names_loader(cwd / "pyproject.toml"):
        raise InvalidDodoFile(
            f"doit was started in {str(cwd)!r}, where it finds none of this program's commands\n"
            f"  next: start it there: cd {quote(str(checkout))} && doit spec={quote(str(cwd / 'airgap.yaml'))}"
        )
    raise InvalidDodoFile(
        f"the checkout {checkout} is not installed for this doit, which runs on {sys.executable}; "
        f"next: {how_to_install(checkout)}, then .venv/bin/doit"
    )


def _is_checkout(directory: Path) -> bool:
    """Whether a checkout of this program lies there, and not a project that `airgap init` made."""
    return (directory / "tasks" / "cli" / "checkout.py").is_file()


def _names_loader(path: Path) -> bool:
    try:
        return _NAMED in path.read_bytes()
    except OSError:
        return False
