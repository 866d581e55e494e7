"""Which earlier backups go once a new one is whole: those beyond the limits that were given, of this installation."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bundle.errors import storage_errors
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import BackupArchive, archives_of


def remove_old(receiver: Receiver, newest: Path, now: datetime) -> Iterator[str]:
    """Remove earlier archives beside `newest`, which stays whatever the limits say; a line for each that is gone."""
    options = receiver.options
    if options.keep is None and options.keep_days is None:
        return
    application, target = receiver.carried.spec.bundle.name, receiver.target.name
    for rank, archive in enumerate(archives_of(newest.parent, application=application, target=target)):
        if archive.path.name != newest.name and _beyond(archive, rank, options.keep, options.keep_days, now):
            with storage_errors("remove an earlier backup", archive.path):
                archive.path.unlink()
            yield f"removed {archive.path}: {(now - archive.created).days} days old, beyond {_limits(receiver)}"


def _beyond(archive: BackupArchive, rank: int, keep: int | None, days: int | None, now: datetime) -> bool:
    """Whether it is beyond each limit that was given; `rank` counts the newer ones."""
    is_many = keep is None or rank >= keep
    is_old = days is None or now - archive.created > timedelta(days=days)
    return is_many and is_old


def _limits(receiver: Receiver) -> str:
    given = {"keep": receiver.options.keep, "keep_days": receiver.options.keep_days}
    return " and ".join(f"{name}={value}" for name, value in given.items() if value is not None)
