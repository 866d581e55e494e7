"""What an installation is like: of the cluster, else as its receipt tells."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from bundle.errors import ClusterError
from bundle.metadata.receipt import LeftOver, Receipt, ReceivedRelease
from schema.spec.install import SecretSpec
from tasks.commands.installed.condition import condition
from tasks.install.receipt import receipt_steps
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.last_backup import LastBackup
from tasks.site.records.last_receipt import keep_receipt, receipt_path
from tests.fixtures.benches.receiving import cluster_of, named, run

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def installed(receiver: Receiver) -> Receiver:
    run(named(secret_steps(receiver)))
    for each in receiver.carried.spec.install.releases:
        cluster_of(receiver)[1].put(each.name, each.namespace)
    (step,) = receipt_steps(receiver)
    step.action()
    return receiver


def test_all_is_as_the_last_install_left_it(installed: Receiver) -> None:
    found = condition(installed, "prod")
    assert (found.site, found.application, found.unreached) == ("prod", "app", "")
    assert found.receipt
    assert found.receipt.version == "1.0"
    assert [(each.name, each.revision, each.status, each.troubles) for each in found.releases] == [
        ("app", 1, "deployed", ()),
        ("web", 1, "deployed", ()),
    ]
    assert list(found.troubles) == []
    assert found.backup_hours is None
    assert found.to_dict()["from"] == "cluster"


def test_what_others_changed_and_what_is_not_well(installed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    _, helm = cluster_of(installed)
    helm.change("app", "app", revision=4, status="failed", chart="app-2.0.0")
    del helm.releases["web", "web"]
    installed.cluster.changed_releases()
    monkeypatch.setattr(installed.cluster, "ailing", lambda spec: (f"pod {spec.name}-0 ends again and again",))
    assert list(condition(installed).troubles) == [
        "release app: it is failed",
        "release app: revision 4 (app-2.0.0) runs, the last install left revision 1 (app-1.0.0)",
        "release app: pod app-0 ends again and again",
        "release web: it is not there, and the last install left it",
    ]


def test_nothing_is_installed(receiver: Receiver) -> None:
    found = condition(receiver)
    assert found.receipt is None
    assert list(found.troubles) == ["release app: it is not installed", "release web: it is not installed"]


def test_a_cluster_that_does_not_answer(installed: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = Receipt.decode(receipt_path(installed).read_bytes())
    old = ReceivedRelease(name="old", namespace="past", revision=3, chart="old-1.0.0")
    keep_receipt(installed, replace(receipt, left_over=LeftOver(releases=(old,))))

    def refused(*_: object) -> None:
        raise ClusterError("the cluster refused the login hunter2\nand more")

    installed.known.add("hunter2")
    installed.cluster.changed_releases()
    monkeypatch.setattr(cluster_of(installed)[1], "list", refused)
    found = condition(installed)
    assert found.unreached == "the cluster refused the login ***"
    assert [(each.name, each.status) for each in found.releases] == [("app", "unknown"), ("web", "unknown")]
    assert [each.name for each in found.left_over.releases] == ["old"]
    assert found.to_dict()["from"] == "receipt"


def test_days_of_certificates_and_age_of_the_backup(installed: Receiver) -> None:
    end = NOW + timedelta(days=12, hours=3)
    leaf = trustme.CA().issue_cert("a.example", not_after=end).cert_chain_pems[0].bytes()
    held = {"tls.crt": base64.b64encode(leaf).decode()}
    kubectl, _ = cluster_of(installed)
    kubectl.create({"kind": "Secret", "metadata": {"name": "tls", "namespace": "app"}, "data": held})
    tls = SecretSpec(name="tls", type="tls", namespaces=("app", "web"), data={}, generate=None)
    spec = installed.carried.spec
    install = replace(spec.install, secrets=(*spec.install.secrets, tls))
    installed.carried.spec = replace(spec, install=install)  # type: ignore[misc]
    LastBackup(created=NOW - timedelta(hours=30), archive="x.tar", revisions={}).note(installed)
    found = condition(installed, now=NOW)
    assert [(each.secret, each.namespace, each.days) for each in found.certificates] == [("tls", "app", 12)]
    assert list(found.troubles) == ["certificate app/tls: 12 days left; renew it"]
    assert found.backup_hours == 30.0
