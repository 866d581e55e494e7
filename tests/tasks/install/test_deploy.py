"""The work of releases: values, one helm run that is looked after, health."""

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ReleaseError
from schema.spec.install import ReleaseSpec
from tasks.install import deploy
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.revisions import Revisions
from tests.fixtures.benches.receiving import cluster_of, make_carried, named, receiving, run, said


@pytest.fixture
def prepared(receiver: Receiver) -> Receiver:
    run(named(secret_steps(receiver)))
    return receiver


def release(receiver: Receiver, name: str = "app") -> ReleaseSpec:
    return next(each for each in receiver.carried.spec.install.releases if each.name == name)


def test_keys_that_the_chart_does_not_have_are_told(prepared: Receiver) -> None:
    deploy.check_values(prepared, release(prepared))
    assert "warning: release 'app': values.yaml:3: the chart has no value 'image'" in said(prepared)
    assert prepared.project.notes["values:app"] == "1 files resolved, 1 unknown to the chart"
    deploy.check_values(prepared, release(prepared, "web"))
    assert prepared.project.notes["values:web"] == "0 files resolved"


def test_values_are_resolved_and_the_revision_is_noted(prepared: Receiver) -> None:
    _, helm = cluster_of(prepared)
    deploy.install(prepared, release(prepared))
    assert helm.values["app"]["host"] == "h.example"
    assert helm.values["app"]["image"] == "registry.example.com/team/one:1.0"
    (noted,) = Revisions(prepared.state).read()
    assert (noted.name, noted.before, noted.after) == ("app", 0, 1)
    deploy.install(prepared, release(prepared))
    assert prepared.project.notes["helm:app"] == "upgraded from revision 1 to 2, chart app-1.0.0"


def test_what_a_killed_helm_left_is_freed_first(prepared: Receiver) -> None:
    _, helm = cluster_of(prepared)
    helm.put("app", "app", revision=4, status="pending-upgrade")
    deploy.install(prepared, release(prepared))
    assert "recovered app" in said(prepared)
    (noted,) = Revisions(prepared.state).read()
    assert (noted.before, noted.after) == (4, 5)


@pytest.mark.parametrize(
    ("made_by", "before"),
    [("bundle app 1.0", 2), ("bundle app 1.0, or so", 3), ("Upgrade complete", 3)],
    ids=["ours", "another bundle's", "somebody's"],
)
def test_a_kill_after_helm_was_through_hides_not_what_was_before(prepared: Receiver, made_by: str, before: int) -> None:
    """The killed run's revision is this bundle's too: nobody wants to return to it."""
    _, helm = cluster_of(prepared)
    Revisions(prepared.state).begin(release(prepared), before=2)
    helm.put("app", "app", revision=3)
    helm.change("app", "app", description=made_by)
    deploy.install(prepared, release(prepared))
    (noted,) = Revisions(prepared.state).read()
    assert (noted.before, noted.after) == (before, 4)
    assert Revisions(prepared.state).begun(release(prepared)) is None


def test_no_values_are_left_on_the_disk(prepared: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    _, helm = cluster_of(prepared)
    real = helm.upgrade_install

    def fail(*args: Any, values: Path, **more: Any) -> Any:
        seen.append(values)
        real(*args, values=values, **more)
        raise ReleaseError("release 'app': it failed")

    monkeypatch.setattr(helm, "upgrade_install", fail)
    with pytest.raises(ReleaseError):
        deploy.install(prepared, release(prepared))
    assert [path.exists() for path in seen] == [False]
    assert Revisions(prepared.state).read() == ()


@pytest.fixture
def addressed(tmp_path: Path) -> Receiver:
    """A release with an address where nobody listens."""
    health = {"url": "http://${site.host}:1/", "status": 200}
    one = {"name": "app", "chart": "app", "namespace": "app", "health": [health], "timeout": "1s"}
    bench = make_carried(tmp_path / "project", install={"releases": [one]})
    (tmp_path / "state").mkdir()
    (tmp_path / "state/site.yaml").write_text("host: 127.0.0.1\n")
    return receiving(bench.bundle, tmp_path / "state")


def test_an_address_that_does_not_answer_is_told(addressed: Receiver) -> None:
    _, helm = cluster_of(addressed)
    helm.put("app", "app")
    ((what, hint),) = deploy.reachable(addressed, release(addressed))
    assert "http://127.0.0.1:1/" in what
    assert "refused" in what
    assert not what.startswith(("error", "warning"))
    assert hint
    with pytest.raises(ReleaseError, match="refused"):
        deploy.prove_health(addressed, release(addressed))


def test_what_has_no_address_is_healthy_when_its_workloads_are(prepared: Receiver) -> None:
    cluster_of(prepared)[1].put("app", "app")
    deploy.prove_health(prepared, release(prepared))
    assert prepared.project.notes["health:app"] == "ready"
