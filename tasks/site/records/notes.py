"""Small files in which this machine notes what it last did to an installation, beside doit's state."""

from collections.abc import Callable
from typing import Any, TypeVar

from bundle.errors import FormatError, storage_errors
from bundle.formats import strict_json
from bundle.formats.fields import Fields
from bundle.storage.files import read_small, write_bytes
from bundle.storage.private import make_private
from tasks.site.receiver import Receiver

T = TypeVar("T")


def read_note(receiver: Receiver, name: str, build: Callable[[Fields], T]) -> T | None:
    """What was noted; None where nothing was, or nothing that can be read."""
    try:
        return build(Fields.decode(read_small(receiver.state / name), name))
    except (OSError, FormatError):
        return None


def write_note(receiver: Receiver, name: str, data: dict[str, Any], *, what: str) -> None:
    """Note it in place of what was noted before; a StorageError names `what` was to be noted."""
    path = receiver.state / name
    with storage_errors(f"note {what}", path):
        make_private(path.parent)
        write_bytes(path, strict_json.readable(data, escaped=True), mode=0o600)
