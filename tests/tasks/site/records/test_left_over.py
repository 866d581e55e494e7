"""What an earlier bundle brought and this one no longer names, as the last receipt and the cluster know it."""

from dataclasses import replace

from bundle.metadata.receipt import LeftOver, Receipt, ReceivedRelease, ReceivedSecret
from tasks.install.receipt import receipt_steps
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import keep_receipt, receipt_path
from tasks.site.records.left_over import left_over, made_secrets, told
from tests.fixtures.benches.receiving import cluster_of, named, run

OLD = ReceivedRelease(name="old", namespace="past", revision=3, chart="old-1.0.0")


def test_without_a_receipt_nothing_is_known(receiver: Receiver) -> None:
    assert left_over(receiver) == LeftOver()
    assert list(told(LeftOver())) == []


def test_what_the_receipt_knows_and_is_still_there(receiver: Receiver) -> None:
    run(named(secret_steps(receiver)))
    (step,) = receipt_steps(receiver)
    step.action()
    receipt = Receipt.decode(receipt_path(receiver).read_bytes())
    moved = ReceivedSecret(name="db", namespace="past")
    known = replace(receipt, releases=(OLD,), secrets=(*receipt.secrets, moved))
    keep_receipt(receiver, known)
    assert left_over(receiver) == LeftOver(), "nothing of it is there"
    kubectl, helm = cluster_of(receiver)
    helm.put("old", "past", revision=5, chart="old-2.0.0")
    kubectl.create({"kind": "Secret", "metadata": {"name": "db", "namespace": "past"}})
    found = left_over(receiver)
    assert found == LeftOver(releases=(replace(OLD, revision=5, chart="old-2.0.0"),), secrets=(moved,))
    assert [line.partition(":")[0] for line in told(found)] == ["no longer in the bundle"] * 2 + [
        "   remove what is left over"
    ]


def test_what_an_install_makes(receiver: Receiver) -> None:
    made = {(each.namespace, each.name, each.generated) for each in made_secrets(receiver)}
    assert ("app", "db", False) in made
    assert {("app", "seed", True), ("web", "seed", True)} <= made
    assert ("app", "airgap-action-enroll", False) in made
