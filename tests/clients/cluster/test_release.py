"""Revisions of a release, and which of them was good."""

from functools import partial
from typing import Any

import pytest

from bundle.errors import ReleaseError
from clients.cluster.release import Release, last_good, read_release, stands_for
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


@pytest.mark.parametrize(
    ("later", "same"),
    [
        pytest.param([], True, id="nothing since"),
        pytest.param([("failed", "Upgrade failed: x"), ("deployed", "Rollback to 2")], True, id="taken back"),
        pytest.param([("pending-upgrade", "Preparing"), ("deployed", "Rollback to 2")], True, id="killed and freed"),
        pytest.param(
            [("failed", "x"), ("superseded", "Rollback to 2"), ("failed", "x"), ("deployed", "Rollback to 4")],
            True,
            id="taken back twice",
        ),
        pytest.param([("failed", "x"), ("failed", "Rollback failed"), ("deployed", "Rollback to 2")], True, id="again"),
        pytest.param([("failed", "x"), ("deployed", "Rollback to 1")], False, id="to an older one"),
        pytest.param([("superseded", "x"), ("deployed", "Rollback to 2")], False, id="somebody's was deployed"),
        pytest.param([("failed", "x"), ("deployed", "Rollback to 2"), ("failed", "x")], False, id="failed at last"),
        pytest.param([("deployed", "Upgrade complete")], False, id="somebody's"),
        pytest.param([("deployed", "Rollback to 20")], False, id="of another number"),
    ],
)
def test_what_was_taken_back_stands_for_what_was_there(later: list[tuple[str, str]], same: bool) -> None:
    told = [("superseded", "Install complete"), ("deployed", "bundle app 1.0"), *later]
    history = [
        Release(name="web", namespace="shop", revision=number, status=status, chart="web-1.0.0", description=said)
        for number, (status, said) in enumerate(told, 1)
    ]
    assert stands_for(history, 2) is same


def test_nothing_stands_for_a_release_that_is_gone() -> None:
    assert not stands_for([], 2)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"revision": 1},
        {"revision": "x", "status": "deployed", "chart": "app-1"},
        {"revision": "9" * 5000, "status": "deployed", "chart": "app-1"},
        {"revision": [1], "status": "deployed", "chart": "app-1"},
        "text",
        None,
        ["revision"],
    ],
)
def test_an_answer_of_another_form(data: Any) -> None:
    with pytest.raises(ReleaseError, match=r"^the history: helm (gave an answer of another form|named no revision)"):
        read_release(partial(Release.past, name="app", namespace="app"), data, "the history")
