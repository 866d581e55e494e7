"""The cgroups below which a real node's pods run: made for it, and gone with it, in cgroup v1 and v2 alike.

Their name says which process made them, so that those of one that was killed are known by everybody later.
"""

import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import ProgramError, storage_errors

_ROOT = Path("/sys/fs/cgroup")
_NEEDED = ("cpu", "memory", "pids")  # kubelet does not start without these controllers
_NAME = re.compile(r"airgap-node-(?P<pid>\d+)-(?P<begun>\d+)-\d+")
_NUMBERS = itertools.count(1)
_SECONDS = 10.0  # what the kernel may take to end the last process in them
_POLL = 0.02  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCgroups:
    """One cgroup of the same name in every hierarchy."""

    name: str

    @classmethod
    def make(cls) -> Self:
        """Make the cgroups of one more node of this process, once those of killed processes are gone."""
        sweep()
        made = cls(name=f"airgap-node-{os.getpid()}-{_begun(os.getpid())}-{next(_NUMBERS)}")
        with storage_errors("make the cgroups of a node", _ROOT):
            for hierarchy in _hierarchies():
                (hierarchy / made.name).mkdir()
        return made

    def remove(self) -> None:
        """Remove them, once the processes in them have ended; a ProgramError when some do not."""
        deadline = time.monotonic() + _SECONDS
        while left := [place for place in _places(self.name) if not _removed(place)]:
            if time.monotonic() > deadline:
                raise ProgramError(
                    f"processes of the node do not end: cgroup {left[0]} is still in use after {_SECONDS:.0f} s"
                )
            time.sleep(_POLL)


def sweep() -> None:
    """Remove the cgroups of nodes whose starter is not there any more, as far as no process is left in them."""
    for hierarchy in _hierarchies():
        for place in hierarchy.glob("airgap-node-*"):
            found = _NAME.fullmatch(place.name)
            if found and _begun(int(found["pid"])) != found["begun"]:
                _removed(place)


def missing_for_cgroups() -> str:
    """Why no cgroups with the controllers that a node needs can be made here; empty when they can."""
    there = [hierarchy for hierarchy in _hierarchies() if os.access(hierarchy, os.W_OK)]
    if not there or not _is_writable(there[0]):
        return f"no cgroup can be made in {_ROOT}"
    if absent := [name for name in _NEEDED if not any(_controls(hierarchy, name) for hierarchy in there)]:
        return f"the cgroups of {_ROOT} have no controller {', '.join(absent)} to give away"
    return ""


def _hierarchies() -> list[Path]:
    """The roots of all hierarchies: one of cgroup v2, or several of v1, which may have second names."""
    if (_ROOT / "cgroup.procs").exists():
        return [_ROOT]
    found = {each.resolve() for each in _ROOT.glob("*") if (each / "cgroup.procs").exists()}
    return sorted(found)


def _is_writable(hierarchy: Path) -> bool:
    probe = hierarchy / f"airgap-node-{os.getpid()}-{_begun(os.getpid())}-0"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _controls(hierarchy: Path, controller: str) -> bool:
    """Whether cgroups below this one get a controller: by name in v1; in v2 it is there, and has or may be given away.

    In v2 only the machine's root may hold processes besides cgroups with controllers.
    """
    listed = hierarchy / "cgroup.controllers"
    if hierarchy != _ROOT:
        return controller in hierarchy.name.split(",")
    given = (hierarchy / "cgroup.subtree_control").read_text().split()
    free = not (hierarchy / "cgroup.type").exists() or not (hierarchy / "cgroup.procs").read_text().strip()
    return controller in given or (free and controller in listed.read_text().split())


def _places(name: str) -> Iterator[Path]:
    yield from (place for hierarchy in _hierarchies() if (place := hierarchy / name).exists())


def _removed(place: Path) -> bool:
    """Remove a cgroup with those in it; whether it is gone."""
    for inner, _, _ in os.walk(place, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(inner)
    return not place.exists()


def _begun(pid: int) -> str:
    """When a process began, in the kernel's ticks since the start of the machine; empty for one that is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
