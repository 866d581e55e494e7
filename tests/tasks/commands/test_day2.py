"""After an install: back to what was before it, and away with it."""

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProblemsError, ReleaseError
from schema.spec.install import ReleaseSpec
from tasks.commands import day2
from tasks.install.deploy import install
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.revisions import Revisions
from tests.fixtures.benches.receiving import MemoryHelm, cluster_of, named, run, said


@pytest.fixture
def upgraded(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
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


def test_a_rollback_takes_the_newest_first_and_says_what_runs_and_what_stays(upgraded: Receiver) -> None:
    _, helm = cluster_of(upgraded)
    helm.changes.clear()
    day2._rollback(upgraded)
    assert helm.changes == ["rolled back web/web to 1", "rolled back app/app to 1"]
    told = said(upgraded)
    assert "release web: rolled back to revision 1 (now revision 3, chart app-0.9.0)\nrelease web: ready\n" in told
    assert told.endswith("restore the dump from before the upgrade\n")
    assert Revisions(upgraded.state).read() == ()
    with pytest.raises(ProblemsError, match="no install to roll back from"):
        day2._rollback(upgraded)


def test_a_rollback_that_stops_goes_on_with_the_rest(upgraded: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    _, helm = cluster_of(upgraded)
    does = helm.rollback

    def refuses(name: str, revision: int, **more: Any) -> None:
        if name == "app":
            raise ReleaseError("release 'app': denied")
        does(name, revision, **more)

    monkeypatch.setattr(helm, "rollback", refuses)
    with pytest.raises(ReleaseError, match="denied"):
        day2._rollback(upgraded)
    assert "databases stay as they are" in said(upgraded)
    assert [each.name for each in Revisions(upgraded.state).read()] == ["app"]
    monkeypatch.setattr(helm, "rollback", does)
    helm.changes.clear()
    day2._rollback(upgraded)
    assert helm.changes == ["rolled back app/app to 1"]


def test_what_is_removed_is_waited_for(upgraded: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pod does not end in its time: it is named, and the rest goes on."""
    kubectl, helm = cluster_of(upgraded)
    mark = {"annotations": {"meta.helm.sh/release-name": "app"}, "uid": "1", "name": "app-0", "namespace": "app"}
    pod = {"kind": "Pod", "metadata": mark, "spec": {"terminationGracePeriodSeconds": -15}, "status": {}}
    kubectl.apply([pod])
    day2._uninstall(upgraded, yes=True, secrets=False)
    assert helm.releases == {}
    told = said(upgraded)
    assert "pod app-0 has not ended yet: kubectl get pods --namespace app" in told
    assert "removed 2 releases" in told


def test_a_diagnosis_of_what_is_well(upgraded: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    day2._diagnose(upgraded)
    assert "no problems found\n" in said(upgraded)
    assert len(list(tmp_path.glob("diagnose-*.zip"))) == 1
