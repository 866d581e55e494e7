"""Whether what this program is made of is installed, and what to type where it is not."""

import shlex
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_OURS = frozenset({"bundle", "clients", "schema", "tasks", "dodo"})


def how_to_install(checkout: Path = CHECKOUT) -> str:
    """The command that makes a checkout's own environment, whatever the working directory is."""
    return f"cd {shlex.quote(str(checkout))} && python3 -m venv .venv && .venv/bin/pip install -q -e ."


def missing_package(err: ModuleNotFoundError) -> str:
    """In one line which package is not installed and what to type; empty where an installation would not help.

    That is so for a module of ours, and in airgap.pyz, which carries whatever it imports.
    """
    name = (err.name or "").partition(".")[0]
    if not name or name in _OURS or not CHECKOUT.is_dir():
        return ""
    return f"module {name!r} is not installed, the checkout {CHECKOUT} needs it; next: {how_to_install()}"
