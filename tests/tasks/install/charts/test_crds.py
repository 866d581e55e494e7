"""The CRDs of charts on the way to the cluster."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProblemsError
from bundle.formats.versions import Version
from clients.cluster.crds import Crd
from clients.cluster.kubectl import Versions
from clients.programs.process import Completed
from tasks.install.charts.crds import crd_findings, upgrade_crds
from tasks.install.charts.rendered import render_releases
from tasks.install.releases import helm_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import cluster_of, named, receiving, said
from tests.fixtures.made.crds import TEXT, crd

ONE, TWO = crd({"a": TEXT}), crd({"a": TEXT, "mode": TEXT})
USE = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"mode": "fast"}}


class Cluster:
    """What kubectl is asked besides: definitions that are there, and those that were applied."""

    def __init__(self, *there: Crd) -> None:
        self.there = there
        self.applied: list[str] = []

    def __call__(self, argv: list[str], *, subject: str, objects: Any = ()) -> Completed:
        items = [each.data for each in self.there]
        if argv[0] == "apply" and "--dry-run=server" not in argv:
            self.applied += [each["metadata"]["name"] for each in objects]
        return Completed(code=0, stdout=json.dumps({"items": items}).encode() if argv[0] == "get" else b"", stderr="")


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = receiving(carried_bundle, tmp_path / "state")
    kubectl: Any = made.cluster.kubectl
    server = Version.parse("1.30.0")
    monkeypatch.setattr(kubectl, "version", lambda: Versions(client=server, server=server), raising=False)
    monkeypatch.setattr(kubectl, "api_versions", lambda: ("v1",), raising=False)
    cluster_of(made)[1].put("app", "app")
    return made


def upgrading(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = receiver.carried
    spec = replace(carried.spec, install=replace(carried.spec.install, crds="upgrade"))
    monkeypatch.setattr(carried, "spec", spec)


def rendering(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, new: Crd, *there: Crd) -> Cluster:
    text = (
        f"---\n# Source: app/crds/x.yaml\n{json.dumps(new.data)}\n---\n# Source: app/templates/w\n{json.dumps(USE)}\n"
    )
    monkeypatch.setattr(receiver.cluster.helm, "template", lambda *_, **__: text)
    cluster = Cluster(*there)
    monkeypatch.setattr(receiver.cluster.kubectl, "run", cluster, raising=False)
    return cluster


def test_what_is_kept_is_told_once_with_its_users(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    rendering(receiver, monkeypatch, TWO, ONE)
    rendered, _ = render_releases(receiver)
    (found,) = crd_findings(receiver, rendered)
    assert "Widget w loses spec.mode" in found.what
    assert found.hint.startswith("by hand: helm show crds charts/app-1.0.0.tgz | kubectl apply --server-side")


def test_what_differs_is_brought_in_and_said(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrading(receiver, monkeypatch)
    cluster = rendering(receiver, monkeypatch, TWO, ONE)
    rendered, _ = render_releases(receiver)
    assert [each.severity for each in crd_findings(receiver, rendered)] == ["note"]
    assert cluster.applied == []
    upgrade_crds(receiver, rendered[0].release)
    assert cluster.applied == ["widgets.example.com"]
    assert "helm:app: CRD widgets.example.com is in now: adds spec.mode" in said(receiver)


def test_what_is_the_same_is_left(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrading(receiver, monkeypatch)
    cluster = rendering(receiver, monkeypatch, ONE, ONE)
    upgrade_crds(receiver, receiver.carried.spec.install.releases[0])
    assert cluster.applied == []


def test_what_would_drop_a_stored_version_changes_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Crd(data={**crd({}, "v1").data, "status": {"storedVersions": ["v1"]}})
    cluster = rendering(receiver, monkeypatch, crd({}, "v2"), stored)
    with pytest.raises(ProblemsError, match="drops v1, in which objects are stored"):
        upgrade_crds(receiver, receiver.carried.spec.install.releases[0])
    assert cluster.applied == []


def test_asking_for_upgrades_makes_a_release_stale_and_keeping_does_not(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.cluster.kubectl.objects.clear()  # type: ignore[attr-defined]
    monkeypatch.setattr(receiver, "values", lambda _: type("V", (), {"data": {}})())
    before = named(helm_steps(receiver))["helm:app"].inputs()
    upgrading(receiver, monkeypatch)
    assert named(helm_steps(receiver))["helm:app"].inputs() == {**(before or {}), "crds": "upgrade"}
