"""The receipt that the last install of this application on this target left."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import FormatError, StorageError, storage_errors
from bundle.formats.versions import Version
from bundle.storage.files import temporary, write_bytes
from bundle.storage.private import make_private
from tasks.site.receiver import Receiver

if TYPE_CHECKING:
    from bundle.metadata.receipt import Receipt


def receipt_path(receiver: Receiver) -> Path:
    """Where the receipt is written: in the state of this installation."""
    from bundle.metadata.receipt import RECEIPT

    return receiver.state / RECEIPT


def newest_path(receiver: Receiver) -> Path:
    """Where the newest receipt of all installations with this state is found: a link to it."""
    from bundle.metadata.receipt import RECEIPT

    return receiver.options.state / RECEIPT


def last_receipt(receiver: Receiver) -> "tuple[Path, Receipt] | None":
    """What the last install of this application here left; None when there was none, or its receipt tells nothing."""
    from bundle.metadata.receipt import Receipt

    path = receipt_path(receiver)
    with contextlib.suppress(FormatError, StorageError), storage_errors("read the receipt", path):
        if path.exists():
            return path, Receipt.decode(path.read_bytes())
    return None  # the next receipt puts it right


def other_receipts(receiver: Receiver) -> "Iterator[tuple[Path, Receipt]]":
    """What the last installs of other applications left on this cluster's host, as far as their receipts can be read.

    Their images may have another place in the registry, which makes another target.
    """
    from bundle.metadata.receipt import RECEIPT, Receipt

    own, host = receipt_path(receiver), receiver.target.name.rpartition("-")[0]
    for path in sorted(receiver.options.state.glob(f"*/*/{RECEIPT}")):
        if path.parent.name.rpartition("-")[0] == host and path.parent.parent != own.parent.parent:
            with contextlib.suppress(FormatError, StorageError), storage_errors("read the receipt", path):
                yield path, Receipt.decode(path.read_bytes())


def keep_receipt(receiver: Receiver, receipt: "Receipt") -> None:
    """Have this as the receipt of this installation, and as the newest of all."""
    path, newest = receipt_path(receiver), newest_path(receiver)
    make_private(path.parent)
    write_bytes(path, receipt.encode(), mode=0o600)
    temp = temporary(newest)
    try:
        temp.symlink_to(os.path.relpath(path, newest.parent))
        temp.replace(newest)
    except OSError:  # a file system without links
        temp.unlink(missing_ok=True)
        write_bytes(newest, receipt.encode(), mode=0o600)


def is_older(receiver: Receiver, last: "Receipt") -> bool:
    """Whether the bundle is older than what a receipt tells of.

    By version; where versions are the same or have no order, by the time of making.
    """
    manifest = receiver.carried.bundle.manifest
    there, here = _order(last.version), _order(manifest.version)
    if there and here and there != here:
        return here < there
    return manifest.created < last.created


def _order(version: str) -> Version | None:
    try:
        return Version.parse(version)
    except FormatError:
        return None
