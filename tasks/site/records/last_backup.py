"""The last backup of an installation, and the upgrades that wait for one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bundle.formats.fields import Fields, time_text
from bundle.metadata.entries import ChartEntry
from clients.cluster.release import Release
from clients.preflight.findings import Finding
from schema.spec.install import ReleaseSpec
from tasks.site.receiver import Receiver
from tasks.site.records.notes import read_note, write_note

_FILE = "backup.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """When it was made, where it was written, and the revision of each release in it, by `namespace/name`."""

    created: datetime
    archive: str
    revisions: Mapping[str, int]

    @classmethod
    def read(cls, receiver: Receiver) -> Self | None:
        """What was noted; None where nothing was, or nothing that can be read."""
        return read_note(receiver, _FILE, cls._of)

    @classmethod
    def _of(cls, fields: Fields) -> Self:
        noted = fields.object("revisions")
        revisions = {name: noted.typed(name, int) for name in noted.data}
        return cls(created=fields.time("created"), archive=fields.text("archive"), revisions=revisions)

    def note(self, receiver: Receiver) -> None:
        """Remember it beside doit's state."""
        data = {"created": time_text(self.created), "archive": self.archive, "revisions": dict(self.revisions)}
        write_note(receiver, _FILE, data, what="the backup")


def missing_backups(receiver: Receiver, *, now: datetime) -> Iterator[Finding]:
    """The releases that would get another chart and that no fresh backup has as they are."""
    backup = receiver.carried.spec.install.backup
    for release in receiver.carried.spec.install.releases:
        if release.name in backup.before_upgrade and (found := receiver.cluster.release(release)):
            entry = next(each for each in receiver.carried.bundle.manifest.charts if each.name == release.chart)
            what = _lacks(LastBackup.read(receiver), release, found, now=now, max_age=backup.max_age)
            if what and found.chart != _chart(entry):
                yield Finding(
                    subject=f"release {release.name!r}",
                    what=f"it would go from chart {found.chart} to {_chart(entry)}, and {what}",
                    hint="back up first: python3 airgap.pyz backup key=RECIPIENT.crt (as install, with site=FILE)",
                )


def _chart(entry: ChartEntry) -> str:
    return f"{entry.name}-{entry.version}"


def _lacks(last: LastBackup | None, release: ReleaseSpec, found: Release, *, now: datetime, max_age: int) -> str:
    if last is None:
        return "there is no backup of it"
    revision = last.revisions.get(f"{release.namespace}/{release.name}")
    if revision != found.revision:
        has = f"revision {revision}" if revision else "nothing"
        return f"the last backup has {has} of it, not revision {found.revision} that runs now"
    age = (now - last.created).total_seconds()
    return f"the last backup is {age / 3600:.0f} hours old, more than {max_age / 3600:.0f}" if age > max_age else ""
