"""A backup: all that an installation is rebuilt from, read with the key alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidCommand

from tasks.commands.installed.backups.backup import Backup
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import BackupArchive
from tasks.site.records.last_backup import LastBackup
from tests.fixtures.benches.backups import contents, decrypted, installing, made, make_keys
from tests.fixtures.benches.receiving import cluster_of, commanded, said


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def installed(carried_bundle: Path, tmp_path: Path, keys: Path) -> Receiver:
    return installing(carried_bundle, tmp_path, keys)


def test_without_a_key_nothing_is_written(receiver: Receiver) -> None:
    with pytest.raises(InvalidCommand, match=r"name a certificate with key=FILE\.crt"):
        commanded(Backup, receiver)


def test_only_the_key_reads_it(installed: Receiver, tmp_path: Path, keys: Path) -> None:
    assert commanded(Backup, installed) == 0, said(installed)
    found = contents(tmp_path)
    assert next(iter(found)) == "backup.json"
    assert b"hunter2" not in b"".join(found.values())
    about = json.loads(found["backup.json"])
    assert [(each["name"], each["revision"]) for each in about["releases"]] == [("app", 2)]
    assert sorted(about["secrets"]) == ["app/db", "app/login", "app/seed"]
    assert set(about["sha256"]) == {"secrets.json.cms", "values/app.app.json.cms"}
    assert json.loads(decrypted(keys, found["values/app.app.json.cms"])) == {"password": "hunter2"}
    items: Any = json.loads(decrypted(keys, found["secrets.json.cms"]))["items"]
    assert {each["metadata"]["name"] for each in items} == {"db", "login", "seed"}
    (archive,) = tmp_path.glob("out/*.tar")
    assert archive.stat().st_mode & 0o777 == 0o600
    last = LastBackup.read(installed)
    assert last
    assert (last.archive, dict(last.revisions)) == (str(archive), {"app/app": 2})


def test_where_nothing_is_installed_there_is_nothing_to_keep(installed: Receiver, tmp_path: Path) -> None:
    cluster_of(installed)[1].releases.clear()
    assert commanded(Backup, installed) == 1
    assert "there is nothing to back up" in said(installed)
    assert list((tmp_path / "out").iterdir()) == []
    assert LastBackup.read(installed) is None


def test_a_whole_one_removes_what_is_beyond_the_limits_and_a_failed_one_nothing(
    carried_bundle: Path, tmp_path: Path, keys: Path
) -> None:
    receiver = installing(carried_bundle, tmp_path, keys, keep="2")
    for day in (1, 2):
        created = f"2020-05-0{day}T00:00:00Z"
        made(tmp_path / f"out/backup-{day}.tar", created=created, target=receiver.target.name)
    nothing = installing(carried_bundle, tmp_path, keys, keep="1")
    cluster_of(nothing)[1].releases.clear()
    assert commanded(Backup, nothing) == 1
    assert len(list(tmp_path.glob("out/*.tar"))) == 2
    assert commanded(Backup, receiver) == 0, said(receiver)
    assert f"removed {tmp_path / 'out/backup-1.tar'}: " in said(receiver)
    (new,) = tmp_path.glob("out/backup-app-*.tar")
    assert sorted(path.name for path in tmp_path.glob("out/*.tar")) == ["backup-2.tar", new.name]
    assert BackupArchive.read(new).target == receiver.target.name
