"""Charts whose Chart.yaml, Chart.lock and charts/ say different things."""

import pytest

from clients.charts._drift import Dependencies, drift


@pytest.mark.parametrize(
    ("wanted", "locked", "there", "said"),
    [
        ({"db": "^1.0.0"}, {"db": "1.2.3"}, {"db": "1.2.3"}, []),
        ({"db": "1.2.3"}, None, {"db": "v1.2.3"}, []),
        ({}, None, {"own": "0.1.0"}, []),
        ({"db": "^1.0.0"}, {"db": "1.2.3"}, {"db": "1.2.0"}, ["charts/ holds db 1.2.0, Chart.lock says 1.2.3"]),
        ({"db": "1.2.3"}, None, {"db": "1.2.0"}, ["charts/ holds db 1.2.0, Chart.yaml says 1.2.3"]),
        ({"db": "1.x"}, None, {"db": "1.x", "old": "3.0.0"}, ["charts/ holds old 3.0.0, which Chart.yaml does not"]),
        ({"db": "~1"}, {"mq": "2.0.0"}, {"db": "1.0.0"}, ["do not name the same dependencies (db, mq)"]),
    ],
    ids=["agree", "exact", "own parts only", "lock", "no lock", "one too many", "names"],
)
def test_drift(wanted: dict[str, str], locked: dict[str, str] | None, there: dict[str, str], said: list[str]) -> None:
    found = list(drift(Dependencies(wanted=wanted, locked=locked, there=there)))
    assert len(found) == len(said)
    assert all(each in line for each, line in zip(said, found, strict=True))
