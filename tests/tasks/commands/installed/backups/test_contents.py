"""What is in a backup, and that nothing of it is written in plain."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.metadata.receipt import LeftOver, Receipt, ReceivedRelease
from tasks.commands.installed.backups.backup import Backup
from tasks.install.receipt import receipt_steps
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import keep_receipt, receipt_path
from tests.fixtures.benches.backups import contents, decrypted, installing, make_keys
from tests.fixtures.benches.receiving import cluster_of, commanded, make_carried, receiving, said


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def installed(carried_bundle: Path, tmp_path: Path, keys: Path) -> Receiver:
    return installing(carried_bundle, tmp_path, keys)


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
