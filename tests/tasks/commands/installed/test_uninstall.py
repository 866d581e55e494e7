"""Away with what was installed, or with what an earlier bundle left over."""

import json
from pathlib import Path

import pytest

from bundle.metadata.receipt import Receipt
from tasks.commands.installed.uninstall import Uninstall
from tasks.commands.plan_install import plan_install
from tasks.install.receipt import receipt_steps
from tasks.install.secrets import namespace_steps, secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.history import history_path, read_history
from tasks.site.records.last_receipt import receipt_path
from tests.fixtures.benches.receiving import INSTALL, cluster_of, commanded, make_carried, named, receiving, run, said


@pytest.fixture
def installed(receiver: Receiver) -> Receiver:
    """Secrets and namespaces are there, both releases, and the receipt."""
    run({**named(namespace_steps(receiver)), **named(secret_steps(receiver))})
    for each in receiver.carried.spec.install.releases:
        cluster_of(receiver)[1].put(each.name, each.namespace)
    (step,) = receipt_steps(receiver)
    step.action()
    return receiver


def test_uninstall_asks_first(installed: Receiver) -> None:
    kubectl, helm = cluster_of(installed)
    before = list(kubectl.changes)
    assert commanded(Uninstall, installed, yes=False, secrets=False) == 1
    assert "nothing was removed" in said(installed)
    assert (helm.changes, kubectl.changes) == ([], before)


@pytest.mark.parametrize("secrets", [False, True])
def test_uninstall_removes_what_was_made_and_generated_secrets_only_if_asked(
    installed: Receiver, secrets: bool
) -> None:
    kubectl, helm = cluster_of(installed)
    assert commanded(Uninstall, installed, yes=True, secrets=secrets) == 0, said(installed)
    assert helm.changes == ["uninstalled web/web", "uninstalled app/app"], "the last one goes first"
    left = {name for kind, _, name in kubectl.objects if kind == "secret"}
    assert left == (set() if secrets else {"seed"})
    assert {name for kind, _, name in kubectl.objects if kind == "namespace"} == {"app", "web"}
    assert f"removed 2 releases and {5 if secrets else 3} secrets" in said(installed)


def test_uninstall_of_nothing(receiver: Receiver) -> None:
    assert commanded(Uninstall, receiver, yes=False, secrets=True) == 0
    assert said(receiver) == "nothing to remove\n"


def test_what_is_removed_is_waited_for(installed: Receiver) -> None:
    """One pod does not end in its time: it is named, and the rest goes on."""
    kubectl, helm = cluster_of(installed)
    mark = {"annotations": {"meta.helm.sh/release-name": "app"}, "uid": "1", "name": "app-0", "namespace": "app"}
    pod = {"kind": "Pod", "metadata": mark, "spec": {"terminationGracePeriodSeconds": -15}, "status": {}}
    kubectl.apply([pod])
    assert commanded(Uninstall, installed, yes=True, secrets=False) == 0
    assert helm.releases == {}
    told = said(installed)
    assert "pod app-0 has not ended yet: kubectl get pods --namespace app" in told
    assert "removed 2 releases" in told


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next bundle, without the release `web`, its action, and two of the secrets."""
    install = {"secrets": [INSTALL["secrets"][0]], "releases": [INSTALL["releases"][0] | {"values": []}]}
    return make_carried(tmp_path_factory.mktemp("smaller") / "project", install=install).bundle


@pytest.fixture
def shrunk(installed: Receiver, smaller: Path) -> Receiver:
    """That bundle was installed after the other, in the same cluster."""
    later = receiving(smaller, installed.options.state)
    later.cluster.kubectl, later.cluster.helm = cluster_of(installed)  # type: ignore[misc, assignment]
    cluster_of(installed)[1].values |= {"app": {}, "web": {}}
    return later


GONE = "no longer in the bundle: release web in namespace web still runs (revision 1, chart app-1.0.0)"


def test_what_left_the_bundle_stays_in_sight(shrunk: Receiver) -> None:
    plan = plan_install(shrunk, {})
    assert GONE in plan.lines()
    assert plan.to_dict()["left_over"]["releases"][0]["name"] == "web"
    (step,) = receipt_steps(shrunk)
    for _ in range(2):  # the second receipt has it of the first one's left-over
        step.action()
        receipt = Receipt.decode(receipt_path(shrunk).read_bytes())
        assert [each.name for each in receipt.releases] == ["app"]
        assert [each.name for each in receipt.left_over.releases] == ["web"]
        assert {each.name for each in receipt.left_over.secrets} == {"login", "seed", "db"}
        assert {each.namespace for each in receipt.left_over.secrets if each.name == "login"} == {"web"}
    assert GONE in shrunk.project.closing
    assert "doit uninstall --left-over" in shrunk.project.closing


def test_uninstall_tells_it_and_removes_it_only_when_asked(shrunk: Receiver) -> None:
    kubectl, helm = cluster_of(shrunk)
    assert commanded(Uninstall, shrunk, yes=False, secrets=False) == 1
    assert GONE in said(shrunk)
    assert commanded(Uninstall, shrunk, yes=True, secrets=False, left=True) == 0, said(shrunk)
    assert helm.changes == ["uninstalled web/web"]
    names = {(where, name) for kind, where, name in kubectl.objects if kind == "secret"}
    assert ("app", "db") not in names
    assert ("app", "seed") in names, "what was generated stays until it is asked for"
    assert ("app", "login") in names
    receipt = json.loads(receipt_path(shrunk).read_text())
    assert "releases" in receipt["left_over"]
    assert receipt["left_over"]["releases"] == []
    assert [each.what for each in read_history(history_path(shrunk))] == ["uninstall"]
    assert commanded(Uninstall, shrunk, yes=True, secrets=True, left=True) == 0
    assert "left_over" not in json.loads(receipt_path(shrunk).read_text())
    assert commanded(Uninstall, shrunk, yes=True, secrets=True, left=True) == 0
    assert "nothing to remove\n" in said(shrunk)


def test_what_is_gone_or_back_is_no_longer_told(shrunk: Receiver, installed: Receiver) -> None:
    (step,) = receipt_steps(shrunk)
    step.action()
    assert plan_install(installed, {}).left_over.releases == (), "the bundle that names it is here again"
    del cluster_of(shrunk)[1].releases["web", "web"]
    assert plan_install(shrunk, {}).left_over.releases == ()
