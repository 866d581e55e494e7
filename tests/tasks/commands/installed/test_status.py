"""The status as a table, as JSON and as metrics."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import ClusterError
from bundle.metadata.receipt import LeftOver
from tasks.commands.installed.condition import CertificateCondition, Condition, ReleaseCondition, of_receipt
from tasks.commands.installed.status import Status, metric_lines, show
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import cluster_of, commanded, said
from tests.fixtures.made.published import faults
from tests.fixtures.made.receipts import RECEIPT

WEB = ReleaseCondition(name="web", namespace="shop", revision=3, chart="web-1.0.0", status="deployed")
GOOD = Condition(
    site="prod", application="demo", cluster="https://a", registry="r", receipt=RECEIPT, releases=(WEB,),
    left_over=LeftOver(), backup_hours=2.4,
    certificates=(CertificateCondition(secret="tls", namespace="shop", days=40),),
)  # fmt: skip
CRASHED = replace(WEB, troubles=("it is failed", "pod web-0: crash"))
BAD = replace(GOOD, releases=(CRASHED,), left_over=LeftOver(releases=RECEIPT.releases))


def test_one_that_is_good(receiver: Receiver) -> None:
    show(receiver, [GOOD], as_json=False, metrics="")
    assert said(receiver).splitlines() == [
        "SITE  APPLICATION  VERSION  INSTALLED          STATUS",
        "prod  demo         1.2      2026-03-01 08:00Z  good",
        "",
        "RELEASE  NAMESPACE  REVISION  CHART      STATUS",
        "web      shop       3         web-1.0.0  deployed",
        "certificate shop/tls: 40 days left",
        "last backup: 2 hours ago",
    ]


@pytest.mark.parametrize(
    ("found", "word", "told"),
    [
        (BAD, "2 problems", "no longer in the bundle: release web in namespace shop still runs"),
        (replace(GOOD, receipt=None), "not installed", "certificate"),
        (replace(GOOD, unreached="timeout"), "as the receipt tells", "not reached: timeout"),
        (replace(GOOD, unreached="timeout", receipt=None), "unknown", "not reached: timeout"),
        (replace(GOOD, backup_hours=None), "good", "last backup: none from this machine"),
        (replace(GOOD, restore_test_hours=50.2), "good", "last restore test: 50 hours ago"),
    ],
)
def test_the_word_for_it(receiver: Receiver, found: Condition, word: str, told: str) -> None:
    show(receiver, [found], as_json=False, metrics="")
    assert said(receiver).splitlines()[1].endswith(word)
    assert told in said(receiver)


def test_metrics_name_everything_once(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    show(receiver, [GOOD, replace(BAD, site='a"b')], as_json=True, metrics="airgap.prom")
    lines = (tmp_path / "airgap.prom").read_text().splitlines()
    assert lines == list(metric_lines([GOOD, replace(BAD, site='a"b')]))
    assert 'airgap_installed{site="prod",application="demo",version="1.2"} 1' in lines
    assert 'airgap_release_healthy{site="prod",application="demo",release="web",namespace="shop"} 1' in lines
    assert 'airgap_release_healthy{site="a\\"b",application="demo",release="web",namespace="shop"} 0' in lines
    assert 'airgap_backup_age_hours{site="prod",application="demo"} 2.4' in lines
    assert not any("restore_test" in line for line in lines)
    tested = 'airgap_restore_test_age_hours{site="prod",application="demo"} 50.2'
    assert tested in metric_lines([replace(GOOD, restore_test_hours=50.2)])
    assert sum(line.startswith("# TYPE airgap_reached ") for line in lines) == 1
    assert [each["site"] for each in json.loads(said(receiver))["status"]] == ["prod", 'a"b']
    assert faults("status", said(receiver)) == []


@pytest.mark.parametrize(
    "found",
    [
        replace(GOOD, receipt=None, releases=(replace(WEB, revision=0, chart="", status=""),), backup_hours=None),
        of_receipt(replace(GOOD, site="", restore_test_hours=50.2), RECEIPT, unreached="timeout"),
        replace(BAD, certificates=(CertificateCondition(secret="tls", namespace="shop", days=-3),)),
    ],
    ids=["not installed", "not reached", "not good"],
)
def test_json_is_as_published(receiver: Receiver, found: Condition) -> None:
    show(receiver, [found], as_json=True, metrics="")
    assert faults("status", said(receiver)) == []
    assert faults("status", said(receiver).replace('"cluster":', '"clusters":', 1))


def test_the_exit_code(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commanded(Status, receiver, as_json=False, metrics="") == 1, "nothing is installed"
    for each in receiver.carried.spec.install.releases:
        cluster_of(receiver)[1].put(each.name, each.namespace)
    receiver.cluster.changed_releases()
    assert commanded(Status, receiver, as_json=False, metrics="") == 0

    def refused(*_: object) -> None:
        raise ClusterError("no route")

    receiver.cluster.changed_releases()
    monkeypatch.setattr(cluster_of(receiver)[1], "list", refused)
    assert commanded(Status, receiver, as_json=True, metrics="") == 1
