"""Namespaces and secrets: made where they are not, corrected where they hold something else, generated once."""

import json
from pathlib import Path

import pytest

from bundle.errors import FormatError
from schema.site.stand_ins.rehearsal import MADE, MARK
from tasks.install.secrets import namespace_steps, secret_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import ENV, cluster_of, named, receiving, run


def test_namespaces_are_made_once(receiver: Receiver) -> None:
    kubectl, _ = cluster_of(receiver)
    steps = named(namespace_steps(receiver))
    assert {name: step.ready() for name, step in steps.items()} == {
        "namespace:app": "there is no namespace 'app'",
        "namespace:web": "there is no namespace 'web'",
    }
    run(steps)
    assert kubectl.changes == ["created namespace app", "created namespace web"]
    assert kubectl.objects["namespace", "", "app"]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "airgap"}
    run(steps)
    assert len(kubectl.changes) == 2


def test_a_rehearsals_mark_is_taken_away(receiver: Receiver) -> None:
    """By it the next rehearsal would remove what is in the namespace."""
    kubectl, _ = cluster_of(receiver)
    run(named(namespace_steps(receiver)))
    kubectl.objects["namespace", "", "app"]["metadata"]["annotations"] = {MARK: "x", MADE: "y", "kept": "z"}
    step = named(namespace_steps(receiver))["namespace:app"]
    assert "has left its mark on namespace 'app'" in step.ready()
    step.action()
    assert kubectl.objects["namespace", "", "app"]["metadata"]["annotations"] == {"kept": "z"}
    assert step.ready() == ""


def test_secrets_come_into_each_of_their_namespaces(receiver: Receiver) -> None:
    kubectl, _ = cluster_of(receiver)
    steps = named(secret_steps(receiver))
    assert steps["secret:login"].after == ["transfer", "namespace:app", "namespace:web"]
    assert steps["secret:db"].ready() == "there is no secret 'db' in namespace 'app'"
    run(steps)
    assert kubectl.held("db", "app") == {"url": "mysql://db/x"}
    assert ("secret", "web", "db") not in kubectl.objects
    for namespace in ("app", "web"):
        (login,) = kubectl.held("login", namespace).values()
        found = json.loads(login)["auths"]["registry.example.com"]
        assert (found["username"], found["password"]) == ("robot", "hunter2")
    changes = list(kubectl.changes)
    run(named(secret_steps(receiver)))
    assert kubectl.changes == changes


def test_what_holds_something_else_is_corrected(receiver: Receiver, carried_bundle: Path, tmp_path: Path) -> None:
    kubectl, _ = cluster_of(receiver)
    run(named(secret_steps(receiver)))
    later = receiving(carried_bundle, tmp_path / "later", env={**ENV, "DB": "mysql://other/x"})
    cluster_of(later)[0].objects = kubectl.objects
    steps = named(secret_steps(later))
    assert {name for name, step in steps.items() if step.ready()} == {"secret:db"}
    assert steps["secret:db"].ready() == "secret 'db' in namespace 'app' holds something else"
    run(steps)
    assert kubectl.held("db", "app") == {"url": "mysql://other/x"}


def test_a_generated_value_is_one_and_never_changed(receiver: Receiver, carried_bundle: Path, tmp_path: Path) -> None:
    kubectl, _ = cluster_of(receiver)
    run(named(secret_steps(receiver)))
    value = kubectl.held("seed", "app")
    assert kubectl.held("seed", "web") == value
    del kubectl.objects["secret", "web", "seed"]
    later = receiving(carried_bundle, tmp_path / "later")
    cluster_of(later)[0].objects = kubectl.objects
    step = named(secret_steps(later))["secret:seed"]
    assert step.ready() == "there is no secret 'seed' in namespace 'web'"
    step.action()
    assert kubectl.held("seed", "web") == kubectl.held("seed", "app") == value
    assert step.ready() == ""


def test_two_generated_values_are_nobodys_to_choose(receiver: Receiver) -> None:
    kubectl, _ = cluster_of(receiver)
    run(named(secret_steps(receiver)))
    other = kubectl.objects["secret", "web", "seed"]
    other["data"] = dict.fromkeys(other["data"], "b3RoZXI=")
    receiver.cluster.changed_secret("seed", "web")
    step = named(secret_steps(receiver))["secret:seed"]
    assert step.ready() == "its namespaces hold different values for 'seed'"
    with pytest.raises(FormatError, match="has different generated values in app, web") as caught:
        step.action()
    assert "never changed by itself" in caught.value.hint


def test_no_value_is_told(receiver: Receiver) -> None:
    run(named(secret_steps(receiver)))
    assert "hunter2" not in repr(receiver.project.notes)
    assert receiver.project.notes["secret:login"] == "in app, web"
