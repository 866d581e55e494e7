"""Which upgrades wait for a backup."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tasks.site.receiver import Receiver
from tasks.site.records.last_backup import LastBackup, missing_backups
from tests.fixtures.benches.receiving import cluster_of

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FRESH = LastBackup(created=NOW - timedelta(hours=1), archive="/b.tar", revisions={"app/app": 2})


@pytest.fixture
def older(receiver: Receiver) -> Receiver:
    """An older chart is installed, which install would upgrade."""
    cluster_of(receiver)[1].put("app", "app", revision=2, chart="app-0.9.0")
    return receiver


def told(receiver: Receiver) -> list[str]:
    return [finding.what for finding in missing_backups(receiver, now=NOW)]


def test_what_was_noted_is_read_again(receiver: Receiver) -> None:
    assert LastBackup.read(receiver) is None
    FRESH.note(receiver)
    assert LastBackup.read(receiver) == FRESH
    path = receiver.state / "backup.json"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"created": "now", "archive": "", "revisions": {}}'])
def test_what_can_not_be_read_is_none(receiver: Receiver, text: str) -> None:
    receiver.state.mkdir(parents=True)
    (receiver.state / "backup.json").write_text(text)
    assert LastBackup.read(receiver) is None


def test_without_one_the_upgrade_waits(older: Receiver) -> None:
    assert told(older) == ["it would go from chart app-0.9.0 to app-1.0.0, and there is no backup of it"]
    (finding,) = missing_backups(older, now=NOW)
    assert finding.subject == "release 'app'"
    assert "backup key=" in finding.hint


def test_with_a_fresh_one_it_goes_on(older: Receiver) -> None:
    FRESH.note(older)
    assert told(older) == []


@pytest.mark.parametrize(
    ("backup", "reason"),
    [
        (
            LastBackup(created=FRESH.created, archive="", revisions={"app/app": 1}),
            "the last backup has revision 1 of it, not revision 2 that runs now",
        ),
        (
            LastBackup(created=FRESH.created, archive="", revisions={}),
            "has nothing of it, not revision 2",
        ),
        (
            LastBackup(created=NOW - timedelta(hours=13), archive="", revisions=FRESH.revisions),
            "the last backup is 13 hours old, more than 12",
        ),
    ],
)
def test_one_that_is_not_good_enough(older: Receiver, backup: LastBackup, reason: str) -> None:
    backup.note(older)
    (found,) = told(older)
    assert reason in found


@pytest.mark.parametrize(
    "change",
    [
        lambda receiver: cluster_of(receiver)[1].releases.clear(),
        lambda receiver: cluster_of(receiver)[1].put("app", "app", revision=2, chart="app-1.0.0"),
    ],
    ids=["not installed", "the same chart"],
)
def test_where_nothing_is_upgraded_nothing_waits(older: Receiver, change: Callable[[Receiver], None]) -> None:
    change(older)
    assert told(older) == []


def test_releases_that_the_spec_does_not_name_wait_for_none(older: Receiver) -> None:
    cluster_of(older)[1].put("web", "web", revision=2, chart="app-0.9.0")
    FRESH.note(older)
    assert told(older) == []
