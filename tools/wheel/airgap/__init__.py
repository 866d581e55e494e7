"""The command `airgap` as pip, pipx and uv install it, and the loader by which a plain `doit` finds it.

The program's own packages have names that other packages may have too (`schema`, `tasks`). They lie in `_program` below
this package, in a checkout at its top, and only a process that runs this program looks for modules there.
"""

import sys
from pathlib import Path
from typing import NoReturn

_HERE = Path(__file__).resolve().parent


def _begin() -> None:
    """Have this process find the program's packages before all others."""
    installed = _HERE / "_program"
    sys.path.insert(0, str(installed if installed.is_dir() else _HERE.parents[2]))


def main() -> NoReturn:
    """The command `airgap`."""
    _begin()
    from tasks.cli.entry import main as run

    sys.exit(run())


def enter() -> NoReturn:
    """The entry point `doit.LOADER`: doit calls it first of all, and goes on as this program."""
    _begin()
    from tasks.cli.checkout import enter as run

    run()
