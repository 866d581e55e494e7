"""`doit backup key=FILE`: what an installation would be rebuilt from, in one archive, its secrets encrypted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from doit.exceptions import InvalidCommand

from bundle.errors import storage_errors
from bundle.formats.sizes import human
from bundle.storage.files import sync_directory, writing
from bundle.storage.scratch import scratch_directory
from bundle.storage.tar_writer import TarWriter
from clients.programs.openssl import Recipient
from tasks.cli.commands import COMMANDS
from tasks.commands.installed.backups.contents import BackupContents
from tasks.commands.installed.backups.retention import remove_old
from tasks.commands.installed.backups.timer import DAILY, BackupTimer
from tasks.commands.installed.day2 import ReceiverCommand
from tasks.install.verify import refuse_misplaced
from tasks.site.receiver import Receiver
from tasks.site.records.last_backup import LastBackup

_SOON = 30  # days
_TIMER = {
    "name": "timer",
    "long": "timer",
    "type": str,
    "default": "",
    "help": "make no backup now, but write the systemd units that make it, with these variables, into a directory",
}
_CALENDAR = {
    "name": "calendar",
    "long": "calendar",
    "type": str,
    "default": DAILY,
    "help": "with --timer: when, as systemd's OnCalendar= (default: each night at half past two)",
}


class Backup(ReceiverCommand):
    """Dumps what can be dumped."""

    name = "backup"
    doc_purpose = COMMANDS["backup"].purpose
    doc_usage = "key=CERTIFICATE [out=DIR] [keep=N] [keep_days=N] [--timer DIR]"
    doc_description = (
        "key= is the certificate (PEM, RSA or EC) of those who may read it: openssl encrypts to it, and nothing secret "
        "is written otherwise. The archive goes to out=DIR (default: here). Certificates that expire soon are reported."
        " keep= and keep_days= remove earlier archives of this installation from out= once the new one is whole."
    )

    cmd_options = (_TIMER, _CALENDAR)

    def _execute(self, timer: str = "", calendar: str = DAILY) -> int:
        receiver: Receiver = self.loader.namespace["RECEIVER"]
        if receiver.options.key is None:
            raise InvalidCommand("secrets are only written encrypted: name a certificate with key=FILE.crt")
        if timer:
            return self._told(lambda receiver: _write_timer(receiver, Path.cwd() / timer, calendar))
        return self._told(_backup)


def _backup(receiver: Receiver) -> None:
    assert receiver.options.key  # noqa: S101 - looked at before
    refuse_misplaced(receiver)
    recipient = Recipient.read(receiver.options.key, search=receiver.project.env.get("PATH"))
    now = datetime.now(UTC).replace(microsecond=0)
    place = _place(receiver)
    name = f"backup-{receiver.carried.spec.bundle.name}-{now:%Y%m%dT%H%M%SZ}"
    with storage_errors("write the backup", place):
        place.mkdir(parents=True, exist_ok=True)
        with scratch_directory(place, ".backup-") as work:
            making = BackupContents(receiver, recipient, work)
            making.gather()
            with writing(place / f"{name}.tar", mode=0o600) as file:
                making.write(TarWriter(file, epoch=int(now.timestamp()), subject=name), name, now)
        sync_directory(place)
    path = place / f"{name}.tar"
    LastBackup(created=now, archive=str(path), revisions=making.revisions).note(receiver)
    for line in _told(making, now):
        receiver.project.console.line(line)
    receiver.project.console.line(
        f"backup: {path}, {human(path.stat().st_size)}, decrypt with the private key of {recipient.path}"
    )
    for line in remove_old(receiver, path, now):
        receiver.project.console.line(line)


def _write_timer(receiver: Receiver, directory: Path, calendar: str) -> None:
    assert receiver.options.key  # noqa: S101 - looked at before
    refuse_misplaced(receiver)
    Recipient.read(receiver.options.key, search=receiver.project.env.get("PATH"))
    for line in BackupTimer.of(receiver, _place(receiver), calendar).write(directory):
        receiver.project.console.line(line)


def _place(receiver: Receiver) -> Path:
    """Where it goes: as told, else here, but never into a bundle, which would not be whole any more."""
    if any(word.startswith("out=") for word in receiver.options.words):
        return receiver.options.out
    here = Path.cwd()
    return receiver.options.state if receiver.carried.contains(here) else here


def _told(making: BackupContents, now: datetime) -> Iterator[str]:
    """What is in it, a line each."""
    for each in making.releases:
        left = ", no longer in the bundle" if "left_over" in each else ""
        yield f"release {each['name']}: chart {each['chart']}, revision {each['revision']}, its values{left}"
    yield f"secrets: {len(making.secrets)}, encrypted"
    for held in making.certificates:
        days = (held.not_after - now).days
        soon = "  <- renew it" if days < _SOON else ""
        yield f"certificate {held.namespace}/{held.secret}: until {held.not_after:%Y-%m-%d}, {days} days{soon}"
    for name in making.dumps:
        yield f"dump {name}: encrypted"
