"""What is remembered of a restore test."""

from datetime import UTC, datetime

import pytest

from tasks.site.receiver import Receiver
from tasks.site.records.last_restore_test import LastRestoreTest

DONE = LastRestoreTest(
    tested=datetime(2026, 5, 4, 12, tzinfo=UTC),
    archive="/b.tar",
    created=datetime(2026, 5, 3, 2, 30, tzinfo=UTC),
    dumps=("db", "db-a"),
)


def test_what_was_noted_is_read_again(receiver: Receiver) -> None:
    assert LastRestoreTest.read(receiver) is None
    DONE.note(receiver)
    assert LastRestoreTest.read(receiver) == DONE
    assert (receiver.state / "restore-test.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"tested": "now", "created": "then", "archive": "", "dumps": []}']
)
def test_what_can_not_be_read_is_none(receiver: Receiver, text: str) -> None:
    receiver.state.mkdir(parents=True)
    (receiver.state / "restore-test.json").write_text(text)
    assert LastRestoreTest.read(receiver) is None
