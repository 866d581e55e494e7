"""The machine as a real node sees it: processes and mounts of its own, in the network namespace that we are in.

One process is the first of them. When it ends, and it ends with us, the kernel ends all others and removes the mounts.
"""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import ProgramError
from clients.programs.process import Completed, run
from clients.sandbox._node_parts import search_path
from clients.sandbox.registry import serving

# kubelet would set them for the whole machine; it is shown them as set.
_SYSCTLS = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}
_OWN = ("/run", "/var/log")  # written by the runtime whatever it is told
HOME = Path("/run/airgap-node")  # where its own files lie there: a socket's path may have 107 bytes
_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`first` is the process id of its first process, as this process's namespace has it; `path` its PATH."""

    first: int
    path: str

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` there."""
        program = shutil.which(argv[0], path=self.path) or argv[0]
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--", "env", f"PATH={self.path}"]
        return [*enter, program, *argv[1:]]

    def run(self, *argv: str) -> Completed:
        """Run a program there to its end, whatever that is."""
        return run(self.inside(argv), subject="node", timeout=_SECONDS, tied=True)

    def do(self, *argv: str) -> None:
        """Run a program there, which must succeed."""
        done = self.run(*argv)
        if done.code != 0:
            raise ProgramError(f"the node can't be made: {' '.join(argv)}: {done.stderr.strip()[-600:]}")

    def end(self) -> None:
        """End all its processes at once; they get no time for last words."""
        with suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)


@contextmanager
def machine(programs: Path, root: Path) -> Iterator[Machine]:
    """A machine with these programs, whose own files are those of `root`, until the body ends."""
    if below := next((place for place in _OWN if root.is_relative_to(place)), None):
        raise ProgramError(f"a node's files can't lie below {below}, which it has for itself, as {root} does")
    first = [str(programs / "pause"), str(root)]
    argv = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc", "--kill-child", *first]
    path = os.pathsep.join([str(programs), search_path()])
    with serving(argv, root / "machine.log", ready=lambda: _process(first) != 0):
        made = Machine(first=_process(first), path=path)
        _furnish(made, root)
        yield made


def _furnish(made: Machine, root: Path) -> None:
    hosts = root / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    made.do("mount", "--bind", str(hosts), str(Path("/etc/hosts").resolve()))
    for name, value in _SYSCTLS.items():
        shown = root / name.replace("/", "-")
        shown.write_text(f"{value}\n")
        made.do("mount", "--bind", str(shown), f"/proc/sys/{name}")
    for place in _OWN:
        made.do("mount", "-t", "tmpfs", "-o", "mode=755", "airgap-node", place)
    made.do("mkdir", str(HOME))
    made.do("mount", "--bind", str(root), str(HOME))


def _process(argv: Sequence[str]) -> int:
    """The process with exactly these arguments; 0 when there is none."""
    wanted = b"\0".join(os.fsencode(word) for word in argv) + b"\0"
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "cmdline").read_bytes() == wanted:
                return int(place.name)
    return 0
