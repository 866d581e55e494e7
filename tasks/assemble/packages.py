"""The packages that `airgap.pyz` carries: which versions are here, and whether this project admits them.

It is made of what is installed. `pip install -e .` takes what the floors of pyproject.toml admit, which is stated and
fine; what a release is made of is what requirements.lock names (`doit -f dev.py locked`).
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib import metadata

from bundle.errors import AirgapError
from tasks.runtime.installation import CHECKOUT, how_to_install

LOCK = "requirements.lock"


def installed(distributions: Iterable[str]) -> dict[str, str]:
    """The version of each, by name."""
    return {name: metadata.version(name) for name in sorted(distributions)}


def require_floors(versions: Mapping[str, str]) -> None:
    """AirgapError where a version is below what pyproject.toml admits: it has a known hole, or was never tried."""
    floors = _floors()
    old = [
        f"{name} {version} is installed, {floors[_key(name)]} or later is needed"
        for name, version in versions.items()
        if _numbers(version) < _numbers(floors.get(_key(name), ""))
    ]
    if old:
        raise AirgapError("; ".join(old), hint=how_to_install())


def unlocked(versions: Mapping[str, str]) -> list[str]:
    """What is not as requirements.lock has it, each with both versions."""
    lock = dict(re.findall(r"^([\w.-]+)(?:\[[\w.,-]+\])?==([^\s;]+)", _text(LOCK), re.M))
    pins = {_key(name): version for name, version in lock.items()}
    found = {name: (version, pins.get(_key(name), "none")) for name, version in versions.items()}
    return [f"{name} {version} (locked: {pin})" for name, (version, pin) in found.items() if version != pin]


def _floors() -> dict[str, str]:
    declared: Collection[str] = tomllib.loads(_text("pyproject.toml"))["project"]["dependencies"]
    found = (re.match(r"([\w.-]+)[^;]*?>=\s*([\d.]+)", each) for each in declared)
    return {_key(match[1]): match[2] for match in found if match}


def _text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def _key(name: str) -> str:
    """A distribution's name in the one form that all its spellings have (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
