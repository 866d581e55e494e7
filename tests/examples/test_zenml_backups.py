"""The script of the chart `backups`: an archive that our own commands read, or none; and which earlier ones go."""

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bundle.formats.fields import time_text
from clients.programs.openssl import PrivateKey
from tasks.site.records.backup_archive import BackupArchive
from tests.fixtures.benches.backups import made, make_keys
from tests.fixtures.places import ROOT

SCRIPT = ROOT / "examples" / "zenml-pro" / "charts" / "backups" / "backup.sh"
TARGET = "cronjob/zenml-pro/backups/db"
DATA = bytes(range(256)) * 10_000


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path


def backed_up(place: Path, keys: Path, *command: str, **env: str) -> "subprocess.CompletedProcess[str]":
    own = {
        "NAME": "db",
        "APPLICATION": "app",
        "TARGET": TARGET,
        "KEEP": "0",
        "KEEP_DAYS": "0",
        "PART_MEGABYTES": "1",
        "CERTIFICATE": str(keys / "k.crt"),
        "OUT": str(place / "out"),
        "TMP": str(place / "tmp"),
        "PATH": os.environ["PATH"],
    }
    argv = ["/bin/sh", str(SCRIPT), *(command or ("cat", str(place / "data")))]
    return subprocess.run(argv, env={**own, **env}, capture_output=True, text=True, check=False, timeout=300)


def listing(place: Path) -> list[str]:
    """What is on the volume and in memory besides."""
    return sorted([*os.listdir(place / "out"), *os.listdir(place / "tmp")])


def read(archive: BackupArchive, keys: Path, place: Path) -> bytes:
    """The dump, as `restore-test` decrypts it."""
    key, part, data = PrivateKey.at(keys / "k.key"), place / "part.cms", b""
    for name in archive.parts("db"):
        archive.extract(name, part)
        data += b"".join(key.stream(part, env=os.environ))
    return data


def test_an_archive_is_read_as_those_of_backup_are(place: Path, keys: Path) -> None:
    done = backed_up(place, keys)
    assert done.returncode == 0, done.stderr
    (path,) = (place / "out").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert DATA[:1000] not in path.read_bytes()
    archive = BackupArchive.read(path)
    assert (archive.application, archive.target, archive.dumps) == ("app", TARGET, ("db",))
    assert path.name == f"backup-app-db-{archive.created:%Y%m%dT%H%M%SZ}.tar"
    assert abs(datetime.now(UTC) - archive.created) < timedelta(minutes=10)
    assert archive.parts("db") == tuple(f"dumps/db.000{number}.cms" for number in (1, 2, 3))
    assert read(archive, keys, place) == DATA
    assert listing(place) == [path.name], "nothing but the archive is left"
    assert f"backup of db: {path}, " in done.stdout


def test_a_dump_that_ends_with_a_part_has_no_empty_one(place: Path, keys: Path) -> None:
    (place / "data").write_bytes(bytes(2 * 1024 * 1024))
    assert backed_up(place, keys).returncode == 0
    (path,) = (place / "out").iterdir()
    assert len(BackupArchive.read(path).parts("db")) == 2


@pytest.mark.parametrize(
    ("command", "env", "told"),
    [
        pytest.param(("sh", "-c", "echo part; exit 7"), {}, "sh ended with 7", id="fails"),
        pytest.param(("true",), {}, "true wrote nothing", id="empty"),
        pytest.param(("no-such-program",), {}, "no-such-program ended with 127", id="not there"),
        pytest.param((), {"CERTIFICATE": "/nowhere.crt"}, "openssl can't encrypt", id="no certificate"),
        pytest.param((), {"PATH": "/nowhere"}, "openssl is not in this image next: ", id="no openssl"),
    ],
)
def test_one_that_fails_leaves_nothing_and_removes_nothing(
    place: Path, keys: Path, command: tuple[str, ...], env: dict[str, str], told: str
) -> None:
    earlier = made(place / "out/backup-app-db-1.tar", target=TARGET, created="2020-01-01T00:00:00Z")
    done = backed_up(place, keys, *command, KEEP="1", **env)
    assert done.returncode == 1
    assert f"backup of db failed: {told}" in done.stderr
    assert listing(place) == [earlier.name]


def test_what_a_killed_one_left_is_removed(place: Path, keys: Path) -> None:
    (place / "out/.backup-db/old").mkdir(parents=True)
    assert backed_up(place, keys).returncode == 0
    assert len(listing(place)) == 1


@pytest.mark.parametrize(
    ("limits", "stay"),
    [
        pytest.param({}, {1, 5, 10, 40}, id="without limits"),
        pytest.param({"KEEP": "2"}, {1}, id="by count"),
        pytest.param({"KEEP_DAYS": "7"}, {1, 5}, id="by days"),
        pytest.param({"KEEP": "4", "KEEP_DAYS": "7"}, {1, 5, 10}, id="both"),
    ],
)
def test_what_is_beyond_the_limits_goes(place: Path, keys: Path, limits: dict[str, str], stay: set[int]) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    foreign = [
        made(place / "out/backup-other.tar", target="cronjob/zenml-pro/backups/other", created=time_text(old)),
        made(place / "out/backup-by-hand.tar", target="h-1234", created=time_text(old)),
    ]
    (place / "out/backup-notes.tar").write_text("mine")
    for days in (1, 5, 10, 40):
        written(place, days)
    done = backed_up(place, keys, **limits)
    assert done.returncode == 0, done.stderr
    assert {int(path.stem.split("-")[-1]) for path in (place / "out").glob("backup-day-*.tar")} == stay
    assert all(path.exists() for path in foreign)
    assert (place / "out/backup-notes.tar").read_text() == "mine"
    assert len(list((place / "out").glob("backup-app-db-*.tar"))) == 1, "the new one"
    assert done.stdout.count("removed ") == 4 - len(stay)


def written(place: Path, days: int) -> None:
    """An archive that is so old, with a backup.json as the script writes it."""
    name, root = f"backup-day-{days}", place / "earlier"
    (root / name).mkdir(parents=True)
    created = datetime.fromtimestamp(time.time() - days * 86400 - 60, tz=UTC)
    (root / name / "backup.json").write_text(
        f'{{\n  "created": "{time_text(created)}",\n  "target": "{TARGET}",\n  "x": 1\n}}\n'
    )
    subprocess.run(["tar", "-C", str(root), "-cf", str(place / f"out/{name}.tar"), name], check=True)
