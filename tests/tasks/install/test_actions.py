"""The spec's own steps: run once with what they are given, and again when that changes."""

from pathlib import Path

import pytest

from bundle.errors import ProgramError
from tasks.install.actions import action_steps
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import cluster_of, named, receiving, run


@pytest.fixture
def prepared(receiver: Receiver) -> Receiver:
    """With the secret that the action is given."""
    run(named(secret_steps(receiver)))
    return receiver


def test_it_comes_after_its_releases_and_all_secrets(receiver: Receiver) -> None:
    (step,) = action_steps(receiver)
    assert step.after == ["transfer", "secret", "namespace", "health:app"]
    assert step.doc == "run ./enroll.sh --host=${site.host}"


def test_it_runs_once_and_its_outputs_are_kept_in_the_cluster(prepared: Receiver) -> None:
    kubectl, _ = cluster_of(prepared)
    (step,) = action_steps(prepared)
    assert step.ready() == "action 'enroll' has not run yet"
    step.action()
    assert step.ready() == ""
    record = prepared.cluster.record(prepared.carried.plan.install.actions[0])
    assert record
    assert record.outputs == {"id": "h.example", "token": kubectl.held("seed", "app")["value"]}
    assert prepared.project.notes["action:enroll"].startswith("2 outputs kept in secret ")
    assert kubectl.held("seed", "app")["value"] not in repr(prepared.project.notes)


def test_another_input_is_a_reason_to_run_again(
    prepared: Receiver, carried_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kubectl, _ = cluster_of(prepared)
    run(named(action_steps(prepared)))
    later = tmp_path / "later"
    later.mkdir()
    (later / "site.yaml").write_text("host: other.example\n")
    again = receiving(carried_bundle, later)
    cluster_of(again)[0].objects = kubectl.objects
    (step,) = action_steps(again)
    assert step.ready() == "action 'enroll' has other inputs now"
    step.action()
    record = again.cluster.record(again.carried.plan.install.actions[0])
    assert record
    assert record.outputs["id"] == "other.example"
    assert step.ready() == ""


def test_one_that_fails_is_told_and_leaves_no_record(prepared: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    base = prepared.carried.base
    (base / "enroll.sh").write_text("#!/bin/sh\necho 'no such host' >&2; exit 3\n")
    (step,) = action_steps(prepared)
    with pytest.raises(ProgramError, match="no such host"):
        step.action()
    assert step.ready() == "action 'enroll' has not run yet"
