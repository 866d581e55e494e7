"""Whether what this program is made of is installed, and what to type where it is not."""

import shlex
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALLED = CHECKOUT.name == "_program"  # as tools/wheel lays it out, in somebody's site-packages
_OURS = frozenset({"bundle", "clients", "schema", "tasks", "dodo"})


def how_to_install(checkout: Path = CHECKOUT) -> str:
    """The command that makes a checkout's own environment, or brings an installation up to date."""
    if checkout == CHECKOUT and INSTALLED:
        return f"{shlex.quote(sys.executable)} -m pip install --upgrade --force-reinstall airgap-doit"
    return f"cd {shlex.quote(str(checkout))} && python3 -m venv .venv && .venv/bin/pip install -q -e ."


def missing_package(err: ModuleNotFoundError) -> str:
    """In one line which package is not installed and what to type; empty where an installation would not help.

    That is so for a module of ours, and in airgap.pyz, which carries whatever it imports.
    """
    name = (err.name or "").partition(".")[0]
    if not name or name in _OURS or not CHECKOUT.is_dir():
        return ""
    needed = "" if INSTALLED else f", the checkout {CHECKOUT} needs it"
    return f"module {name!r} is not installed{needed}; next: {how_to_install()}"
