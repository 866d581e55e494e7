"""Whether an install would put an older bundle in the place of a newer one: somebody may have kept it back."""

from typing import TYPE_CHECKING

from bundle.errors import BundleError, FormatError, StorageError, storage_errors
from bundle.formats.fields import time_text
from bundle.formats.versions import Version
from tasks.install.receipt import receipt_path
from tasks.site.receiver import Receiver

if TYPE_CHECKING:
    from bundle.metadata.receipt import Receipt


def downgrade(receiver: Receiver) -> str:
    """Why this bundle is older than the one that the receipt tells of; empty when it is not, or that is allowed."""
    last = None if receiver.options.downgrade or receiver.options.bundle is None else _last(receiver)
    if last is None:
        return ""
    manifest = receiver.bundle.manifest
    if last.name != manifest.name or last.id == manifest.id or not _older(receiver, last):
        return ""
    return (
        f"bundle {manifest.name} {manifest.version} of {time_text(manifest.created)} is older than what is installed: "
        f"{last.version} of {time_text(last.created)}"
    )


def refuse_downgrade(receiver: Receiver) -> None:
    """Raise a BundleError where `downgrade` finds one."""
    if reason := downgrade(receiver):
        hint = "carry the newer one over; to go back on purpose, give downgrade=allow"
        raise BundleError(f"{reason}, says {receipt_path(receiver)}", [], hint=hint)


def _older(receiver: Receiver, last: "Receipt") -> bool:
    """By version; where versions are the same or have no order, by the time of making."""
    manifest = receiver.bundle.manifest
    there, here = _order(last.version), _order(manifest.version)
    if there and here and there != here:
        return here < there
    return manifest.created < last.created


def _last(receiver: Receiver) -> "Receipt | None":
    """What the last install left; None when there was none, or its receipt tells nothing."""
    from bundle.metadata.receipt import Receipt

    path = receipt_path(receiver)
    try:
        with storage_errors("read the receipt", path):
            return Receipt.decode(path.read_bytes()) if path.exists() else None
    except (FormatError, StorageError):
        return None  # the next receipt puts it right


def _order(version: str) -> Version | None:
    try:
        return Version.parse(version)
    except FormatError:
        return None
