"""A backup is tried out: each dump goes into its own command, and is looked at there."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidCommand

from clients.programs import openssl as encryption
from tasks.commands.installed.backups.backup import Backup
from tasks.commands.installed.backups.restore_test import RestoreTest
from tasks.commands.installed.condition import condition
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import BackupArchive
from tasks.site.records.last_restore_test import LastRestoreTest
from tests.fixtures.benches.backups import decrypted, made, make_keys
from tests.fixtures.benches.receiving import cluster_of, commanded, make_carried, receiving, said

COUNT = 400_000
ROWS = "row\n" * COUNT
ENV = {"PATH": "/usr/bin:/bin", "PW": "hunter2", "DB": "mysql://db/x"}
RESTORE = {
    "run": ["sh", "-c", 'test "$PW" = hunter2 && test -z "$BACKUP_KEY_PASSWORD" && cat > "$1"', "x", "${site.scratch}"],
    "env": {"PW": "${env.PW}"},
    "checks": [
        {"run": ["sh", "-c", 'wc -l < "$1"', "x", "${site.scratch}"], "prints": "${site.rows}"},
        {"run": ["grep", "-q", "row", "${site.scratch}"]},
    ],
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


def bundle_of(place: Path, *commands: Mapping[str, Any]) -> Path:
    """A bundle whose backups dump by these commands."""
    release = {"name": "app", "chart": "app", "namespace": "app"}
    install = {"releases": [release], "backup": {"commands": list(commands)}}
    return make_carried(place / "project", install=install).bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dump = {"name": "db", "run": ["sh", "-c", f"yes row | head -n {COUNT}"]}
    other = {"name": "other", "run": ["echo", "x"]}
    return bundle_of(tmp_path_factory.mktemp("bundle"), {**dump, "restore": RESTORE}, other)


def at(bundle: Path, place: Path, *, env: Mapping[str, str] = ENV, rows: int = COUNT, **given: str) -> Receiver:
    """An installation of the bundle whose scratch database is a file."""
    (place / "state").mkdir(exist_ok=True)
    site = {"host": "h", "scratch": str(place / "scratch"), "rows": str(rows)}
    (place / "state/site.yaml").write_text(json.dumps(site))
    out = str(place / "out")
    receiver = receiving(bundle, place / "state", env=env, out=out, words=(f"out={out}",), **given)
    _, helm = cluster_of(receiver)
    helm.put("app", "app")
    helm.values["app"] = {}
    return receiver


@pytest.fixture
def archive(bundle: Path, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup with a dump in several parts, one for each chunk that is read."""
    monkeypatch.setattr(encryption, "PART", 1)
    receiver = at(bundle, tmp_path, key=str(keys / "k.crt"))
    assert commanded(Backup, receiver) == 0, said(receiver)
    (archive,) = tmp_path.glob("out/*.tar")
    assert len(BackupArchive.read(archive).parts("db")) > 1
    return archive


def test_a_dump_is_restored_and_checked(bundle: Path, archive: Path, tmp_path: Path, keys: Path) -> None:
    receiver = at(bundle, tmp_path, archive=str(archive), key=str(keys / "k.key"))
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert commanded(RestoreTest, receiver) == 0, said(receiver)
    assert (tmp_path / "scratch").read_text() == ROWS
    told = said(receiver)
    assert "dump other: not tested, the spec has no `restore` for it\n" in told
    assert "dump db: restored, 2 checks passed\n" in told
    assert f"restore test passed: db of {archive}, 0 hours old\n" in told
    assert "hunter2" not in told
    last = LastRestoreTest.read(receiver)
    assert last
    assert last.tested >= before
    assert (last.archive, last.dumps) == (str(archive), ("db",))
    assert condition(receiver).restore_test_hours == 0.0
    assert not list((tmp_path / "state").glob(".restore-*"))


def test_without_an_archive_or_a_key(receiver: Receiver) -> None:
    with pytest.raises(InvalidCommand, match=r"archive=FILE\.tar key=FILE\.key"):
        commanded(RestoreTest, receiver)


def refused(receiver: Receiver) -> str:
    assert commanded(RestoreTest, receiver) == 1
    assert LastRestoreTest.read(receiver) is None
    return said(receiver)


def test_a_check_that_finds_something_else(bundle: Path, archive: Path, tmp_path: Path, keys: Path) -> None:
    receiver = at(bundle, tmp_path, rows=999, archive=str(archive), key=str(keys / "k.key"))
    assert "FAILED restore-test: check of dump 'db': sh printed '400000', expected '999'" in refused(receiver)


def test_a_restore_that_fails(bundle: Path, archive: Path, tmp_path: Path, keys: Path) -> None:
    receiver = at(bundle, tmp_path, env={**ENV, "PW": "wrong"}, archive=str(archive), key=str(keys / "k.key"))
    assert "restore of dump 'db': sh ended with 1" in refused(receiver)


@pytest.mark.parametrize(
    ("restore", "told"),
    [
        pytest.param({"run": ["head", "-c", "1"]}, "head ended before it had read all of the dump", id="stops reading"),
        pytest.param({"run": ["cat"], "checks": [{"run": ["false"]}]}, "false ended with 1", id="check fails"),
        pytest.param({"run": ["no-such-program"]}, "no-such-program is not there", id="no program"),
        pytest.param(None, "the bundle's spec has no `restore` for any dump", id="nothing to restore"),
    ],
)
def test_what_is_no_restore(tmp_path: Path, keys: Path, restore: dict[str, Any] | None, told: str) -> None:
    dump = {"name": "db", "run": ["head", "-c", "3000000", "/dev/zero"], **({"restore": restore} if restore else {})}
    bundle = bundle_of(tmp_path, dump)
    assert commanded(Backup, at(bundle, tmp_path, key=str(keys / "k.crt"))) == 0
    (archive,) = tmp_path.glob("out/*.tar")
    assert told in refused(at(bundle, tmp_path, archive=str(archive), key=str(keys / "k.key")))


def test_another_key_reads_nothing(bundle: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_keys(tmp_path / "other")
    told = refused(at(bundle, tmp_path, archive=str(archive), key=str(other / "k.key")))
    assert f"{other / 'k.key'} does not decrypt it" in told
    assert (tmp_path / "scratch").read_bytes() == b"", "nothing, and no noise"
    told = refused(at(bundle, tmp_path, archive=str(archive), key=str(other / "k.crt")))
    assert "holds no private key in PEM" in told


@pytest.mark.parametrize("wrong", [{"bundle": {"name": "other"}}, {"dumps": ["other"]}, {"sha256": {}}], ids=str)
def test_what_is_no_backup_of_it(bundle: Path, tmp_path: Path, keys: Path, wrong: dict[str, Any]) -> None:
    archive = made(tmp_path / "b.tar", **wrong)
    told = refused(at(bundle, tmp_path, archive=str(archive), key=str(keys / "k.key")))
    assert any(
        each in told
        for each in (
            "is a backup of 'other', not of 'app'",
            "has none of the dumps with `restore`: db",
            "parts of dump 'db' are missing",
        )
    )


def test_an_archive_that_is_not_there(bundle: Path, tmp_path: Path, keys: Path) -> None:
    receiver = at(bundle, tmp_path, archive=str(tmp_path / "gone.tar"), key=str(keys / "k.key"))
    assert f"can't read the backup: {tmp_path / 'gone.tar'}: No such file or directory" in refused(receiver)
    receiver = at(bundle, tmp_path, archive=str(tmp_path), key=str(keys / "k.key"))
    assert f"{tmp_path} is not a regular file" in refused(receiver)


def test_what_is_not_in_the_archive_is_told(archive: Path, tmp_path: Path, keys: Path) -> None:
    """An archive of the CronJob has one dump of several."""
    dumps = [
        {"name": name, "run": ["cat"], "restore": {"run": ["sh", "-c", "cat > /dev/null"]}} for name in ("db", "b")
    ]
    receiver = at(bundle_of(tmp_path, *dumps), tmp_path, archive=str(archive), key=str(keys / "k.key"))
    assert commanded(RestoreTest, receiver) == 0, said(receiver)
    assert "dump b: not tested, it is not in this archive\n" in said(receiver)
    assert "dump db: restored, no checks in the spec\n" in said(receiver)


def test_a_damaged_part_is_not_restored(bundle: Path, archive: Path, tmp_path: Path, keys: Path) -> None:
    data = archive.read_bytes()
    at_part = data.index(b"dumps/db.0001.cms", data.index(b"README.txt")) + 2000
    archive.write_bytes(data[:at_part] + bytes([data[at_part] ^ 1]) + data[at_part + 1 :])
    told = refused(at(bundle, tmp_path, archive=str(archive), key=str(keys / "k.key")))
    assert "dumps/db.0001.cms is not what backup.json says" in told


def test_nothing_is_written_in_plain(bundle: Path, archive: Path, tmp_path: Path, keys: Path) -> None:
    """What a killed run leaves behind is encrypted: the restore looks at it while it runs."""
    seen = tmp_path / "seen"
    look = ["sh", "-c", 'cat > /dev/null; cat "$1"/.restore-*/* > "$2"', "x", str(tmp_path / "state"), str(seen)]
    dump = {"name": "db", "run": ["cat"], "restore": {"run": look}}
    other = bundle_of(tmp_path, dump)
    receiver = at(other, tmp_path, archive=str(archive), key=str(keys / "k.key"))
    assert commanded(RestoreTest, receiver) == 0, said(receiver)
    assert seen.read_bytes()
    assert b"row" not in seen.read_bytes()
    assert decrypted(keys, seen.read_bytes()).decode() in ROWS, "the last part"
    assert os.listdir(tmp_path / "out") == [archive.name]
