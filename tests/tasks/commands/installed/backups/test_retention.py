"""Which earlier backups a new one removes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bundle.errors import StorageError
from tasks.commands.installed.backups.retention import remove_old
from tasks.site.receiver import Receiver
from tests.fixtures.benches.backups import made
from tests.fixtures.benches.receiving import receiving

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
AGES = (0, 1, 5, 10, 40)  # days; the first is the new one


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    return place


def archive(receiver: Receiver, place: Path, days: int) -> Path:
    created = f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    return made(place / f"backup-app-{days}.tar", created=created, target=receiver.target.name)


def left(place: Path) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in place.glob("backup-app-*.tar"))


@pytest.mark.parametrize(
    ("limits", "stay"),
    [
        pytest.param({}, [0, 1, 5, 10, 40], id="without limits"),
        pytest.param({"keep": "2"}, [0, 1], id="by count"),
        pytest.param({"keep": "1"}, [0], id="only the new one"),
        pytest.param({"keep": "9"}, [0, 1, 5, 10, 40], id="fewer than that"),
        pytest.param({"keep_days": "7"}, [0, 1, 5], id="by days"),
        pytest.param({"keep": "4", "keep_days": "7"}, [0, 1, 5, 10], id="both, the count keeps more"),
        pytest.param({"keep": "2", "keep_days": "7"}, [0, 1, 5], id="both, the days keep more"),
    ],
)
def test_what_is_beyond_the_limits_goes(
    carried_bundle: Path, tmp_path: Path, place: Path, limits: dict[str, str], stay: list[int]
) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", **limits)
    paths = [archive(receiver, place, days) for days in AGES]
    lines = list(remove_old(receiver, paths[0], NOW))
    assert left(place) == stay
    gone = [days for days in AGES if days not in stay]
    told = " and ".join(f"{name}={value}" for name, value in limits.items())
    assert lines == [f"removed {place / f'backup-app-{days}.tar'}: {days} days old, beyond {told}" for days in gone]


def test_what_is_not_of_this_installation_stays(carried_bundle: Path, tmp_path: Path, place: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", keep="1")
    newest, old = archive(receiver, place, 0), "2020-01-01T00:00:00Z"
    made(place / "backup-app-elsewhere.tar", created=old, target="another-target")
    made(place / "backup-other.tar", created=old, target=receiver.target.name, bundle={"name": "other"})
    made(place / "renamed.tar", created=old, target=receiver.target.name)
    (place / "backup-app-notes.tar").write_text("mine")
    before = sorted(place.iterdir())
    assert list(remove_old(receiver, newest, NOW)) == []
    assert sorted(place.iterdir()) == before


def test_the_new_one_stays_also_where_the_clock_went_back(carried_bundle: Path, tmp_path: Path, place: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", keep="1")
    ahead = [archive(receiver, place, days) for days in (-3, -2)]
    new = archive(receiver, place, 0)
    list(remove_old(receiver, new, NOW))
    assert new.exists()
    assert [path.exists() for path in ahead] == [True, False]


def test_one_that_can_not_be_removed_is_reported(
    carried_bundle: Path, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", keep="1")
    new = archive(receiver, place, 0)
    archive(receiver, place, 9)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError, match=r"remove an earlier backup.*backup-app-9\.tar"):
        list(remove_old(receiver, new, NOW))
