"""Revisions of a release, and which of them was good."""

from clients.cluster.release import Release, last_good
from tests.fixtures.made.objects import past


def test_the_last_good_revision() -> None:
    def revisions(*statuses: str) -> list[Release]:
        return [Release.past(each, name="web", namespace="shop") for each in past(*statuses)]

    assert last_good([]) is None
    assert last_good(revisions("failed", "pending-install")) is None
    # After a rollback to 1 that was killed late, the deployed one counts and not the newest superseded one.
    good = last_good(revisions("deployed", "superseded", "pending-rollback"))
    assert good
    assert good.revision == 1
