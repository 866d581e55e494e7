"""What `doit plan install` adds: the bytes to send, and how values would change."""

from pathlib import Path

import pytest

from bundle.transfer.transfers import Transfers
from clients.preflight.findings import Finding
from schema.values.changes import value_changes
from tasks.commands.plan_install import InstallPlan, ReleasePlan, plan_install
from tasks.install.secrets import secret_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import ENV, INSTALL, cluster_of, make_carried, named, receiving, run
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal

DUE = {
    "push:one": "has not run yet",
    "push:two": "has not run yet",
    "values:app": "values changed",
    "helm:app": "values changed",
    "helm:web": "chart changed",
    "health:web": "after helm:web",
}


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    made = receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    run(named(secret_steps(made)))
    return made


def test_the_bytes_of_what_the_registry_lacks_shared_ones_once(receiver: Receiver) -> None:
    plan = plan_install(receiver, DUE)
    sizes = [entry.blobs for entry in receiver.carried.bundle.manifest.images]
    assert plan.images == {"one": sum(sizes[0].values()), "two": sum(sizes[1].values())}
    assert plan.bytes_to_send == sum({**sizes[0], **sizes[1]}.values()) < sum(plan.images.values())
    one = receiver.carried.bundle.manifest.images[0]
    receiver.crossing.delivery.deliver(one, receiver.crossing.source(one), Transfers(1))
    assert plan_install(receiver, DUE).images["one"] == 0
    assert plan_install(receiver, {}).images == {}


def test_nothing_is_changed(receiver: Receiver, faulty: FaultyRegistry) -> None:
    kubectl, helm = cluster_of(receiver)
    before = list(kubectl.changes)
    plan_install(receiver, DUE)
    assert (kubectl.changes, helm.changes) == (before, [])
    assert {seen.method for seen in faulty.seen} <= {"HEAD", "GET"}


def test_releases_are_installed_upgraded_or_left(receiver: Receiver) -> None:
    _, helm = cluster_of(receiver)
    helm.put("app", "app", chart="app-0.9.0")
    helm.put("web", "web")
    helm.values["app"] = {"host": "hunter2", "replicas": 1, "old": True}
    due = {**{step: why for step, why in DUE.items() if step != "helm:web"}, "health:web": "pod 'web-1' is not ready"}
    app, web = plan_install(receiver, due).releases
    assert list(web.lines()) == ["leave release web from chart app-1.0.0", "   pod 'web-1' is not ready"]
    assert list(app.lines()) == [
        "upgrade release app from chart app-1.0.0",
        "   ~ host: *** -> h.example (secret) changed",
        f"   + image: {receiver.options.registry}/one:1.0",
        "   - old: true",
        "   ~ replicas: 1 -> 2",
    ]
    helm.releases.clear()
    receiver.cluster.changed_releases()
    assert [each.change for each in plan_install(receiver, DUE).releases] == ["install", "install"]


def test_what_can_not_be_looked_at_is_not_known(receiver: Receiver, faulty: FaultyRegistry) -> None:
    faulty.plan("", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    plan = plan_install(receiver, DUE)
    assert plan.images == {}
    assert any("403 Forbidden" in reason for reason in plan.unknown)


def test_secrets_are_masked_and_no_other_word(tmp_path: Path, faulty: FaultyRegistry) -> None:
    """DB, an ordinary word here, stands in the host's name too; only the value that is made of it is masked."""
    values = "host: ${site.host}\nextra: {url: 'x:${env.DB}', seed: '${secret.seed}', same: '${env.PW}'}\n"
    bench = make_carried(tmp_path / "made", values=values)
    env = {**ENV, "DB": "example"}
    made = receiving(bench.bundle, tmp_path / "state", registry=f"http://{faulty.host}/team", env=env)
    run(named(secret_steps(made)))
    _, helm = cluster_of(made)
    helm.put("app", "app", chart="app-0.9.0")
    helm.values["app"] = {"host": "old.example", "extra": {"url": "x:other", "gone": "hunter2", "same": "hunter2"}}
    planned = plan_install(made, {**DUE, "helm:app": "chart changed: a -> b"})
    app = planned.releases[0]
    assert list(app.lines()) == [
        "upgrade release app from chart app-1.0.0",
        "   chart changed: a -> b",
        "   - extra.gone: *** (secret)",
        "   + extra.seed: *** (secret)",
        "   ~ extra.url: *** (secret) changed",
        "   ~ host: old.example -> h.example",
    ]
    assert "hunter2" not in repr(planned) + str(planned.to_dict())


def test_it_is_shown_and_written() -> None:
    values = value_changes({"a": 1}, {"a": 2}, secret=(), is_known=lambda _: False)
    release = ReleasePlan(
        name="app", change="upgrade", chart="app-1.0.0", values=values, reasons=("z",), overrides=("a: 2",)
    )
    plan = InstallPlan(
        images={"one": 1000},
        bytes_to_send=1000,
        releases=(release,),
        unknown=("x",),
        lacking=("y",),
        refused="older",
        off={"extra": "${site.extra}"},
        findings=(Finding(subject="release 'app'", what="no", hint="do z"),),
    )
    assert plan.to_dict()["findings"] == [
        {
            "subject": "release 'app'",
            "what": "no",
            "expected": "",
            "observed": "",
            "hint": "do z",
            "severity": "error",
        }
    ]
    assert list(plan.lines()) == [
        "refused: older",
        "upgrade release app from chart app-1.0.0",
        "   z",
        "   override a: 2",
        "   ~ a: 1 -> 2",
        "off at this site: release extra, by ${site.extra}",
        "not known: x",
        "not there: y",
        "error: release 'app': no",
        "  next: do z",
        "to send: 1.0 KB in 1 image",
    ]
    assert plan.to_dict()["off"] == {"extra": "${site.extra}"}
    assert plan.to_dict()["releases"] == [
        {
            "release": "app",
            "change": "upgrade",
            "chart": "app-1.0.0",
            "reasons": ["z"],
            "values": [{"path": "a", "change": "changed", "secret": False, "old": 1, "new": 2}],
            "overrides": ["a: 2"],
        }
    ]


def test_overrides_are_shown_without_what_is_secret(
    carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry
) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    overrides = "overrides: {web: {replicas: 3, login: '${env.PW}', tls: {hosts: [a]}}}\n"
    (tmp_path / "state/site.yaml").write_text(f"host: h.example\n{overrides}")
    made = receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    run(named(secret_steps(made)))
    app, web = plan_install(made, DUE).releases
    assert (app.overrides, web.overrides) == ((), ("replicas: 3", 'login: "${env.PW}"', 'tls.hosts[0]: "a"'))


def test_a_release_that_the_site_leaves_out(tmp_path: Path, faulty: FaultyRegistry) -> None:
    """Neither its steps nor its overrides count, and one that runs is left over; `extra: true` has it all."""
    install = {**INSTALL, "releases": [*INSTALL["releases"]]}  # type: ignore[misc]
    install["releases"].append({"name": "extra", "chart": "app", "namespace": "extra", "when": "${site.extra}"})
    site = {"host": {"type": "string"}, "extra": {"type": "boolean", "default": False}}
    bench = make_carried(tmp_path / "made", install=install, site=site)
    (tmp_path / "state").mkdir(mode=0o700)
    place, overrides = tmp_path / "state/site.yaml", "overrides: {extra: {login: '${env.NOBODY_KNOWS}'}}\n"
    place.write_text(f"host: h.example\n{overrides}")
    made = receiving(bench.bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    made.environment()
    run(named(secret_steps(made)))
    plan = plan_install(made, DUE)
    assert [each.name for each in plan.releases] == ["app", "web"]
    assert plan.off == {"extra": "${site.extra}"}
    assert "extra" not in made.carried.plan.install.namespaces
    place.write_text("host: h.example\nextra: true\n")
    again = receiving(bench.bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    assert [each.name for each in again.carried.plan.install.releases] == ["app", "web", "extra"]
    assert again.carried.spec.install.off == ()
