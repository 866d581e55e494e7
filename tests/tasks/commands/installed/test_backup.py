"""A backup: all that an installation is rebuilt from, read with the key alone."""

import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidCommand

from bundle.metadata.receipt import LeftOver, Receipt, ReceivedRelease
from tasks.commands.installed.backup import Backup
from tasks.install.receipt import receipt_steps
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.backup_archive import BackupArchive
from tasks.site.records.last_backup import LastBackup
from tasks.site.records.last_receipt import keep_receipt, receipt_path
from tests.fixtures.benches.backups import made
from tests.fixtures.benches.receiving import cluster_of, commanded, make_carried, named, receiving, run, said
from tests.fixtures.parts.parts import program


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys")
    argv = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/CN=backup"]
    argv += ["-keyout", str(place / "k.key"), "-out", str(place / "k.crt")]
    subprocess.run(argv, capture_output=True, check=True)
    return place


def decrypted(keys: Path, data: bytes) -> bytes:
    argv = [program("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER"]
    argv += ["-recip", str(keys / "k.crt"), "-inkey", str(keys / "k.key")]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def installing(bundle: Path, place: Path, keys: Path, **given: str) -> Receiver:
    """An installation with release app, whose backups go to `place`/out."""
    out = place / "out"
    out.mkdir(exist_ok=True)
    given = {"key": str(keys / "k.crt"), "out": str(out), **given}
    receiver = receiving(bundle, place / "state", words=("backup", f"out={out}"), **given)
    run(named(secret_steps(receiver)))
    _, helm = cluster_of(receiver)
    helm.put("app", "app", revision=2)
    helm.values["app"] = {"password": "hunter2"}
    return receiver


@pytest.fixture
def installed(carried_bundle: Path, tmp_path: Path, keys: Path) -> Receiver:
    return installing(carried_bundle, tmp_path, keys)


def contents(place: Path) -> dict[str, bytes]:
    (archive,) = place.glob("out/backup-app-*.tar")
    with tarfile.open(archive) as tar:
        files = {each.name.partition("/")[2]: tar.extractfile(each) for each in tar if each.isfile()}
        return {name: file.read() for name, file in files.items() if file}


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


def test_what_helm_keeps_and_tokens_are_left_out(installed: Receiver, tmp_path: Path, keys: Path) -> None:
    kubectl, _ = cluster_of(installed)
    for name, kind in (
        ("sh.helm.release.v1.app.v1", "helm.sh/release.v1"),
        ("t", "kubernetes.io/service-account-token"),
    ):
        kubectl.apply([{"kind": "Secret", "type": kind, "metadata": {"name": name, "namespace": "app"}, "data": {}}])
    assert commanded(Backup, installed) == 0
    about = json.loads(contents(tmp_path)["backup.json"])
    assert sorted(about["secrets"]) == ["app/db", "app/login", "app/seed"]


def test_where_nothing_is_installed_there_is_nothing_to_keep(installed: Receiver, tmp_path: Path) -> None:
    cluster_of(installed)[1].releases.clear()
    assert commanded(Backup, installed) == 1
    assert "there is nothing to back up" in said(installed)
    assert list((tmp_path / "out").iterdir()) == []
    assert LastBackup.read(installed) is None


@pytest.fixture(scope="module")
def dumping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose backups dump a database by a program of its own."""
    command = {
        "name": "db",
        "run": ["sh", "-c", 'printf "%s" "$PW"; exit "$CODE"'],
        "env": {"PW": "${env.PW}", "CODE": "${env.CODE}"},
    }
    release = {"name": "app", "chart": "app", "namespace": "app"}
    install = {"releases": [release], "backup": {"commands": [command]}}
    return make_carried(tmp_path_factory.mktemp("dumping") / "project", install=install).bundle


@pytest.mark.parametrize("code", ["0", "3"])
def test_dumps_are_kept_whole_or_nothing_is(dumping: Path, tmp_path: Path, keys: Path, code: str) -> None:
    out = tmp_path / "out"
    env = {"PW": "hunter2", "CODE": code, "PATH": "/usr/bin:/bin"}
    receiver = receiving(
        dumping, tmp_path / "state", key=str(keys / "k.crt"), out=str(out), words=(f"out={out}",), env=env
    )
    _, helm = cluster_of(receiver)
    helm.put("app", "app")
    helm.values["app"] = {}
    assert commanded(Backup, receiver) == (1 if code == "3" else 0), said(receiver)
    if code == "3":
        assert "FAILED backup: backup command 'db'" in said(receiver)
        assert list(out.iterdir()) == [], "no archive, and no plain text"
    else:
        assert decrypted(keys, contents(tmp_path)["dumps/db.0001.cms"]) == b"hunter2"


def test_what_is_left_over_is_in_it_too(installed: Receiver, tmp_path: Path) -> None:
    """An earlier bundle brought it, it still runs, and this one does not name it."""
    (step,) = receipt_steps(installed)
    step.action()
    receipt = Receipt.decode(receipt_path(installed).read_bytes())
    old = ReceivedRelease(name="old", namespace="past", revision=3, chart="old-1.0.0")
    keep_receipt(installed, replace(receipt, left_over=LeftOver(releases=(old,))))
    _, helm = cluster_of(installed)
    helm.put("old", "past", revision=4, chart="old-1.0.0")
    helm.values["old"] = {"keep": "me"}
    assert commanded(Backup, installed) == 0, said(installed)
    assert "release old: chart old-1.0.0, revision 4, its values, no longer in the bundle" in said(installed)
    about = json.loads(contents(tmp_path)["backup.json"])
    assert [(each["name"], each.get("left_over", False)) for each in about["releases"]] == [
        ("app", False),
        ("old", True),
    ]
    assert "values/past.old.json.cms" in contents(tmp_path)


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
