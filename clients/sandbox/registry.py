"""Programs that serve on loopback for a while and are gone for sure afterwards; among them the CNCF registry."""

import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundle.errors import ProgramError
from bundle.storage.files import make_directories
from clients.programs.process import background
from clients.sandbox._loopback_registry import loopback_registry

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL = 0.05  # seconds
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_REGISTRIES = ("docker-registry", "registry")  # Debian's name, and its own


@contextmanager
def serving(argv: Sequence[str], log: Path, *, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a program, its output in `log`, from when `ready` says so; it goes with all its children, and with us.

    A ProgramError shows the end of the log of one that does not come up.
    """
    name = Path(argv[0]).name
    with background(argv, subject=f"{name} for the rehearsal", log=log, grace=_STOP_SECONDS) as runs:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if not runs() or time.monotonic() > deadline:
                said = " ".join(log.read_text(errors="replace")[-600:].split())
                raise ProgramError(f"{name} for the rehearsal does not come up: {said}")
            time.sleep(_POLL)
        yield


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listened on just now."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


@contextmanager
def throwaway_registry(root: Path) -> Iterator[tuple[str, str]]:
    """A registry over plain HTTP with its data below `root`: what it is, and HOST:PORT. The CNCF one where it is."""
    make_directories(root)
    program = next(filter(None, map(shutil.which, _REGISTRIES)), None)
    if program is None:
        with loopback_registry(root) as host:
            yield "the built-in registry", host
        return
    log, config = root / "log", root / "config.yml"
    data = {"filesystem": {"rootdirectory": str(root / "data")}, "maintenance": {"uploadpurging": {"enabled": False}}}
    http = {"addr": "127.0.0.1:0", "secret": "rehearsal", "relativeurls": True}
    # JSON is YAML.
    config.write_text(json.dumps({"version": 0.1, "log": {"level": "info"}, "storage": data, "http": http}))

    def listening() -> re.Match[str] | None:
        return _LISTENING.search(log.read_text(errors="replace"))

    with serving([program, "serve", str(config)], log, ready=lambda: listening() is not None):
        found = listening()
        yield "the CNCF registry", found[1] if found else ""
