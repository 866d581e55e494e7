"""Rendered values: in a private file for as long as they are needed, and as a digest that gives nothing away."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, storage_errors
from bundle.storage.files import locked, sync_directory, write_bytes
from bundle.storage.scratch import scratch_directory, temporary_place

_KEY_BYTES = 32
_PRIVATE = "airgap-values-"


@contextmanager
def private_directory(parent: Path | None = None) -> Iterator[Path]:
    """A new directory of mode 0700, gone afterwards whatever happens (see scratch_directory).

    It lies in `parent`; without one in memory where there is such a place, so that secrets reach no disk.
    """
    with scratch_directory(parent or _in_memory(), _PRIVATE) as place:
        yield place


def write_private(path: Path, text: str) -> None:
    """Write a new file of mode 0600."""
    with storage_errors("write a private file", path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)


@contextmanager
def rendered_file(values: Mapping[str, Any], *, parent: Path | None = None) -> Iterator[Path]:
    """A private file of these values as JSON, which is YAML; gone afterwards. See private_directory for its place."""
    text = json.dumps(values, allow_nan=False)
    with private_directory(parent) as place:
        path = place / "values.json"
        write_private(path, text)
        yield path


def digest(values: Any, key: bytes) -> str:
    """HMAC-SHA256 of the values' canonical JSON, for state files.

    Without the key, which is kept apart from the state (see state_key), even a short password can't be found by trying.
    Equal values have equal digests under one key only.
    """
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"hmac-sha256:{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def state_key(path: Path) -> bytes:
    """The key of this state, kept in a file of mode 0600 that is made once, also by several processes at a time.

    A lost key costs one needless run of each step. A file of another size is a FormatError.
    """
    with storage_errors("keep the state's key", path), locked(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            write_bytes(path, secrets.token_bytes(_KEY_BYTES), mode=0o600)
            sync_directory(path.parent)
        key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise FormatError(f"{str(path)!r} holds {len(key)} bytes, expected {_KEY_BYTES}", hint=f"remove {path}")
    return key


def _in_memory() -> Path:
    for place in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - a directory of mode 0700 is made in it
        if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return temporary_place()
