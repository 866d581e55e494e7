"""The last backup of an installation, and the upgrades that wait for one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from bundle.errors import storage_errors
from bundle.formats import strict_json
from bundle.formats.fields import time_text
from bundle.metadata.entries import ChartEntry
from bundle.storage.files import write_bytes
from clients.cluster.release import Release
from clients.preflight.findings import Finding
from schema.spec.install import ReleaseSpec
from tasks.site.receiver import Receiver

_FILE = "backup.json"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """When it was made, where it was written, and the revision of each release in it, by `namespace/name`."""

    created: datetime
    archive: str
    revisions: Mapping[str, int]

    @classmethod
    def read(cls, receiver: Receiver) -> Self | None:
        """What was noted; None where nothing was, or nothing that can be read."""
        try:
            data: dict[str, Any] = strict_json.loads((receiver.state / _FILE).read_bytes())
            created = datetime.strptime(data["created"], _TIME).replace(tzinfo=UTC)
            return cls(created=created, archive=str(data["archive"]), revisions=dict(data["revisions"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note(self, receiver: Receiver) -> None:
        """Remember it beside doit's state."""
        data = {"created": time_text(self.created), "archive": self.archive, "revisions": dict(self.revisions)}
        path = receiver.state / _FILE
        with storage_errors("note the backup", path):
            write_bytes(path, strict_json.readable(data, escaped=True), mode=0o600)


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
