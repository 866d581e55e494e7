"""When a release is installed, and after what."""

from pathlib import Path

import pytest

from tasks.install.releases import health_steps, helm_steps, values_steps
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import cluster_of, named, receiving, run


@pytest.fixture
def prepared(receiver: Receiver) -> Receiver:
    run(named(secret_steps(receiver)))
    return receiver


def test_the_order_is_the_specs(receiver: Receiver) -> None:
    steps = {**named(values_steps(receiver)), **named(helm_steps(receiver)), **named(health_steps(receiver))}
    assert list(steps) == ["values:app", "values:web", "helm:app", "helm:web", "health:app", "health:web"]
    assert list(steps["helm:app"].after) == ["push", "namespace:app", "values:app"]
    assert list(steps["helm:web"].after) == ["push", "namespace:web", "values:web", "action:enroll"]
    assert list(steps["health:web"].follows) == ["helm:web"]
    assert list(steps["values:web"].after) == ["transfer", "secret", "action:enroll"]


def test_digests_by_an_engine_are_known_after_the_push(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", engine="docker")
    assert "push" in named(values_steps(receiver))["values:app"].after


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "release 'app' is not installed"),
        ("deployed", ""),
        ("failed", "release 'app' is failed"),
        ("pending-upgrade", "release 'app' is pending-upgrade"),
    ],
)
def test_what_is_deployed_needs_nothing(prepared: Receiver, status: str | None, reason: str) -> None:
    _, helm = cluster_of(prepared)
    if status:
        helm.put("app", "app", status=status)
    assert named(helm_steps(prepared))["helm:app"].ready() == reason


def test_what_it_follows_from(prepared: Receiver, carried_bundle: Path, tmp_path: Path) -> None:
    kubectl, helm = cluster_of(prepared)
    helm.put("app", "app", revision=3)
    before = named(helm_steps(prepared))["helm:app"].inputs()
    assert before
    assert before["revision"] == 3
    assert "h.example" not in str(before)
    (tmp_path / "later").mkdir()
    (tmp_path / "later/site.yaml").write_text("host: other.example\n")
    (tmp_path / "later/state.key").write_bytes((prepared.options.state / "state.key").read_bytes())
    (tmp_path / "later/state.key").chmod(0o600)
    later = receiving(carried_bundle, tmp_path / "later")
    cluster_of(later)[0].objects, cluster_of(later)[1].releases = kubectl.objects, helm.releases
    after = named(helm_steps(later))["helm:app"].inputs()
    assert after
    assert {key for key in after if after[key] != before[key]} == {"values"}
    assert named(values_steps(later))["values:app"].inputs() == {k: v for k, v in after.items() if k != "revision"}


def test_installing_makes_it_so(prepared: Receiver) -> None:
    _, helm = cluster_of(prepared)
    step = named(helm_steps(prepared))["helm:app"]
    step.action()
    assert step.ready() == ""
    assert helm.changes == ["installed app/app"]
    assert prepared.project.notes["helm:app"] == "installed as 1, chart app-1.0.0"


def test_an_override_is_a_matter_of_its_release_only(prepared: Receiver, carried_bundle: Path, tmp_path: Path) -> None:
    before = {name: step.inputs() for name, step in named(values_steps(prepared)).items()}
    (tmp_path / "later").mkdir()
    (tmp_path / "later/site.yaml").write_text("host: h.example\noverrides: {web: {replicas: '${secret.seed}'}}\n")
    (tmp_path / "later/state.key").write_bytes((prepared.options.state / "state.key").read_bytes())
    (tmp_path / "later/state.key").chmod(0o600)
    later = receiving(carried_bundle, tmp_path / "later")
    later.cluster.kubectl = prepared.cluster.kubectl
    after = {name: step.inputs() for name, step in named(values_steps(later)).items()}
    assert after["values:app"] == before["values:app"]
    assert after["values:web"] != before["values:web"]
    assert cluster_of(prepared)[0].held("seed", "web")["value"] not in str(after)
