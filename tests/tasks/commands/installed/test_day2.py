"""After an install: back to what was before it, away with it, or what is wrong with it."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from bundle.errors import ProblemsError, ReleaseError
from clients.cluster.release import Release
from schema.spec.install import ReleaseSpec
from tasks.commands.installed import day2
from tasks.commands.installed.day2 import Diagnose, Rollback
from tasks.install.deploy import install
from tasks.install.receipt import receipt_steps
from tasks.install.secrets import namespace_steps, secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import receipt_path
from tasks.site.records.revisions import Revisions
from tests.fixtures.benches.receiving import MemoryHelm, cluster_of, commanded, named, run, said


def upgraded(receiver: Receiver, *, before: int, name: str = "app") -> None:
    """An install has brought a release from revision `before` to the next."""
    spec = next(each for each in receiver.carried.spec.install.releases if each.name == name)
    cluster_of(receiver)[1].put(name, spec.namespace, revision=before + 1)
    Revisions(receiver.state).note(spec, before=before, after=before + 1, run="x")


@pytest.fixture
def installed(receiver: Receiver) -> Receiver:
    """Secrets and namespaces are there, and both releases."""
    run({**named(namespace_steps(receiver)), **named(secret_steps(receiver))})
    upgraded(receiver, before=2)
    upgraded(receiver, before=0, name="web")
    return receiver


def test_rollback_goes_back_to_the_revision_before(installed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    _, helm = cluster_of(installed)
    (step,) = receipt_steps(installed)
    step.action()

    def rollback(release: str, revision: int, *, namespace: str, **_: Any) -> None:
        helm.changes.append(f"back {namespace}/{release} to {revision}")
        helm.change(release, namespace, revision=4, chart="app-0.9.0")

    monkeypatch.setattr(helm, "rollback", rollback)
    assert commanded(Rollback, installed) == 0
    assert helm.changes == ["back app/app to 2"]
    told = said(installed)
    assert "release web: was not there before; left as it is" in told
    assert "release app: rolled back to revision 2 (now revision 4, chart app-0.9.0)" in told
    assert "databases stay as they are" in told
    releases = json.loads(receipt_path(installed).read_text())["releases"]
    assert [(each["name"], each["revision"]) for each in releases] == [("app", 4), ("web", 1)]
    assert commanded(Rollback, installed) == 1
    assert "there is no install to roll back from" in said(installed)


def test_rollback_leaves_what_somebody_else_changed(installed: Receiver) -> None:
    _, helm = cluster_of(installed)
    helm.change("app", "app", revision=5)
    assert commanded(Rollback, installed) == 1
    assert "FAILED rollback: the releases are not as the last install left them:" in said(installed)
    assert "release 'app' is at revision 5, not 3" in said(installed)
    assert helm.changes == []


def pasts(name: str, *told: tuple[int, str, str]) -> tuple[Release, ...]:
    """Revisions of a release: number, status and description."""
    return tuple(
        Release(name=name, namespace=name, revision=number, status=status, chart="app-1.0.0", description=said)
        for number, status, said in told
    )


def test_rollback_goes_back_from_what_we_took_back(installed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later upgrade failed and was taken back: what runs is what the last install brought."""
    _, helm = cluster_of(installed)
    seen = {
        "app": pasts("app", (3, "superseded", "bundle app 1.0"), (4, "failed", "x"), (5, "deployed", "Rollback to 3"))
    }
    seen["web"] = pasts("web", (1, "deployed", "bundle app 1.0"))
    monkeypatch.setattr(helm, "history", lambda name, **_: seen[name])
    helm.change("app", "app", revision=5)

    def rollback(release: str, revision: int, *, namespace: str, **_: Any) -> None:
        helm.changes.append(f"back {namespace}/{release} to {revision}")
        helm.change(release, namespace, revision=6)

    monkeypatch.setattr(helm, "rollback", rollback)
    assert commanded(Rollback, installed) == 0, said(installed)
    assert helm.changes == ["back app/app to 2"]
    assert "release app: rolled back to revision 2 (now revision 6" in said(installed)


def test_a_rollback_that_was_refused_leaves_its_record(installed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something was taken back, its revision alone does not say that it was rolled back."""
    _, helm = cluster_of(installed)
    seen = {
        "app": pasts("app", (4, "failed", "x"), (5, "deployed", "Rollback to 3")),
        "web": pasts("web", (1, "deployed", "x")),
    }
    monkeypatch.setattr(helm, "history", lambda name, **_: seen[name])
    helm.change("app", "app", revision=5)

    def refuses(*_: Any, **__: Any) -> None:
        raise ReleaseError("release 'app': denied")

    monkeypatch.setattr(helm, "rollback", refuses)
    assert commanded(Rollback, installed) == 1
    assert "rolled back" not in said(installed)
    assert [each.name for each in Revisions(installed.state).read()] == ["app", "web"]


@pytest.mark.parametrize("status", ["failed", "pending-upgrade"])
def test_rollback_leaves_what_an_install_has_left_half_way(installed: Receiver, status: str) -> None:
    _, helm = cluster_of(installed)
    helm.change("app", "app", revision=4, status=status)
    assert commanded(Rollback, installed) == 1
    assert f"release 'app' is at revision 4, not 3: {status}" in said(installed)
    assert "next: an install was interrupted or could not be taken back: run install again, then rollback" in said(
        installed
    )
    assert helm.changes == []


def test_diagnose_gathers_without_secrets(installed: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert commanded(Diagnose, installed) == 0, said(installed)
    (path,) = tmp_path.glob("diagnose-app-*.zip")
    assert f"gathered in {path}" in said(installed)
    assert path.stat().st_mode & 0o777 == 0o600
    with ZipFile(path) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert b"hunter2" not in text
    assert cluster_of(installed)[0].held("seed", "app")["value"].encode() not in text


def test_diagnose_writes_nothing_into_the_bundle(
    installed: Receiver, carried_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(carried_bundle.rglob("*"))
    monkeypatch.chdir(carried_bundle)
    assert commanded(Diagnose, installed) == 0
    assert sorted(carried_bundle.rglob("*")) == before
    assert len(list(installed.options.state.glob("diagnose-app-*.zip"))) == 1


@pytest.fixture
def deployed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """Both releases were there, and the last install has upgraded them."""
    run(named(secret_steps(receiver)))
    _, helm = cluster_of(receiver)
    for release in releases(receiver):
        helm.put(release.name, release.namespace, revision=1)
        receiver.cluster.changed_releases()
        install(receiver, release)
    monkeypatch.setattr(helm, "rollback", lambda name, revision, **more: rolled(helm, name, revision, **more))
    monkeypatch.setattr(receiver, "claim", lambda: None)  # nobody else works on it
    return receiver


def rolled(helm: MemoryHelm, name: str, revision: int, *, namespace: str, **_: Any) -> None:
    helm.changes.append(f"rolled back {namespace}/{name} to {revision}")
    helm.put(name, namespace, revision=helm.releases[namespace, name].revision + 1, chart="app-0.9.0")


def releases(receiver: Receiver) -> tuple[ReleaseSpec, ...]:
    return receiver.carried.spec.install.releases


def test_a_rollback_takes_the_newest_first_and_says_what_runs_and_what_stays(deployed: Receiver) -> None:
    _, helm = cluster_of(deployed)
    helm.changes.clear()
    day2._rollback(deployed)
    assert helm.changes == ["rolled back web/web to 1", "rolled back app/app to 1"]
    told = said(deployed)
    assert "release web: rolled back to revision 1 (now revision 3, chart app-0.9.0)\nrelease web: ready\n" in told
    assert told.endswith("restore the dump from before the upgrade\n")
    assert Revisions(deployed.state).read() == ()
    with pytest.raises(ProblemsError, match="no install to roll back from"):
        day2._rollback(deployed)


def test_a_rollback_that_stops_goes_on_with_the_rest(deployed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    _, helm = cluster_of(deployed)
    does = helm.rollback

    def refuses(name: str, revision: int, **more: Any) -> None:
        if name == "app":
            raise ReleaseError("release 'app': denied")
        does(name, revision, **more)

    monkeypatch.setattr(helm, "rollback", refuses)
    with pytest.raises(ReleaseError, match="denied"):
        day2._rollback(deployed)
    assert "databases stay as they are" in said(deployed)
    assert [each.name for each in Revisions(deployed.state).read()] == ["app"]
    monkeypatch.setattr(helm, "rollback", does)
    helm.changes.clear()
    day2._rollback(deployed)
    assert helm.changes == ["rolled back app/app to 1"]


def test_a_diagnosis_of_what_is_well(deployed: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    day2._diagnose(deployed)
    assert "no problems found\n" in said(deployed)
    assert len(list(tmp_path.glob("diagnose-*.zip"))) == 1
