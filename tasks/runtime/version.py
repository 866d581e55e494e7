"""The version of this program, as bundles record it: pyproject.toml's, which `airgap.pyz` is told when it is made."""

import re
from pathlib import Path

FILE = "tasks/runtime/version.py"


def stated(version: str) -> bytes:
    """This module for where there is no pyproject.toml."""
    return f'"""The version of this program, as pyproject.toml had it."""\n\nVERSION = "{version}"\n'.encode()


def _of_checkout() -> str:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^\[project\]$[^\[]*?^version = "([^"]+)"$', text, re.MULTILINE)
    assert found  # noqa: S101 - pyproject.toml lies beside this package
    return found[1]


VERSION = _of_checkout()
