"""The receipt: what is inside now, for the people outside."""

import json
from pathlib import Path

import pytest

from bundle.metadata.receipt import Receipt
from tasks.install.receipt import closing_notes, receipt_steps, renew_releases
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.last_receipt import receipt_path
from tests.fixtures.benches.receiving import cluster_of, named, run


@pytest.fixture
def installed(receiver: Receiver) -> Receiver:
    run(named(secret_steps(receiver)))
    cluster_of(receiver)[1].put("app", "app", revision=3)
    return receiver


def test_it_comes_last(receiver: Receiver) -> None:
    (step,) = receipt_steps(receiver)
    assert list(step.after) == ["push", "secret", "health:app", "health:web", "action:enroll"]
    assert list(step.outputs()) == [receipt_path(receiver)]


def test_it_tells_images_charts_and_the_releases_that_are_there(installed: Receiver, carried_bundle: Path) -> None:
    (step,) = receipt_steps(installed)
    step.action()
    receipt = Receipt.decode(receipt_path(installed).read_bytes())
    manifest = json.loads((carried_bundle / "manifest.json").read_text())
    assert [(each.name, str(each.reference), str(each.digest)) for each in receipt.images] == [
        (each["name"], each["ref"], each["digest"]) for each in manifest["images"]
    ]
    assert {str(digest): size for digest, size in receipt.images[0].blobs.items()} == manifest["images"][0]["blobs"]
    assert [(each.name, each.version) for each in receipt.charts] == [("app", "1.0.0")]
    assert [(each.name, each.revision) for each in receipt.releases] == [("app", 3)]
    assert str(receipt.id) == manifest["id"]
    assert "hunter2" not in receipt_path(installed).read_text()
    assert installed.project.closing == "\ngo to h.example"


def test_another_revision_is_a_reason_to_write_it_again(installed: Receiver) -> None:
    (step,) = receipt_steps(installed)
    before = step.inputs()
    _, helm = cluster_of(installed)
    helm.change("app", "app", revision=4)
    installed.cluster.changed_releases()
    after = step.inputs()
    assert before
    assert after
    assert {key for key in after if before[key] != after[key]} == {"releases"}


def test_after_a_rollback_only_the_releases_are_told_anew(installed: Receiver) -> None:
    renew_releases(installed)
    assert not receipt_path(installed).exists(), "where there is none, none is made up"
    (step,) = receipt_steps(installed)
    step.action()
    before = json.loads(receipt_path(installed).read_text())
    cluster_of(installed)[1].change("app", "app", revision=5, chart="app-0.9.0")
    installed.cluster.changed_releases()
    renew_releases(installed)
    after = json.loads(receipt_path(installed).read_text())
    assert [(each["revision"], each["chart"]) for each in after["releases"]] == [(5, "app-0.9.0")]
    assert {key for key in after if after[key] != before[key]} == {"releases"}


def test_without_notes_nothing_is_said(carried_bundle: Path, tmp_path: Path, receiver: Receiver) -> None:
    run(named(secret_steps(receiver)))
    assert closing_notes(receiver) == "\ngo to h.example"
