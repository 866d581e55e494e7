"""One run at a time works on one bundle; others wait, and then find the work done."""

import os
from collections.abc import Callable
from pathlib import Path

from bundle.errors import storage_errors
from bundle.storage.files import is_left, is_temporary, lock, make_directories


class RunLock:
    """Held from the first step that works until the process ends."""

    def __init__(self, path: Path, *, say: Callable[[str], None]) -> None:
        with storage_errors("claim the bundle's working directory", path):
            make_directories(path.parent)
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a+b")
            if not lock(self._file.fileno(), path, wait=False):
                self._file.seek(0)
                holder = self._file.read().decode(errors="replace").strip()
                say(f"another run works on this bundle (process {holder or 'unknown'}); waiting for it")
                lock(self._file.fileno(), path)
            self._file.truncate(0)
            self._file.write(str(os.getpid()).encode())
            self._file.flush()

    def sweep(self, root: Path) -> None:
        """Remove what an interrupted write left below a directory."""
        for path in root.rglob(".*.tmp"):
            if is_temporary(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def sweep_state(state: Path) -> None:
    """Remove what interrupted writes left in a state directory and its cache, to which other runs may write now."""
    for place in (state, *(state / "cache" / "blobs").glob("*")):
        for path in place.glob(".*.tmp"):
            if is_left(path):
                path.unlink(missing_ok=True)
