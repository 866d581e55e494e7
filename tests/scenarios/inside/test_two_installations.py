"""One machine installs two applications, and one of them on two clusters: none is taken for another."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.workbench import Ran, Workbench, make
from tests.fixtures.made.published import faults
from tests.fixtures.parts.fake_cluster import FakeCluster, fake_cluster, helm_script


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine inside, with one state; `place/NAME` is a cluster, `apps` are checkouts of bundles."""

    place: Path
    registry: str
    apps: dict[str, Workbench]

    def run(self, app: str, cluster: str, *words: str) -> Ran:
        """Run a command for an application with the kubeconfig of a cluster."""
        bench, kubeconfig = self.apps[app], self.place / f"{cluster}.kubeconfig"
        known = {"server": f"https://{cluster}.example:6443"}
        data = {"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c"}}]}
        kubeconfig.write_text(json.dumps({**data, "clusters": [{"name": "c", "cluster": known}]}))
        there = FakeCluster(place=self.place / cluster)
        if not there.place.exists():
            fake_cluster(there.place)
            (there.place / "bin/helm").write_text(helm_script())
            (there.place / "bin/helm").chmod(0o755)
        bench.env |= {**there.env, "KUBECONFIG": str(kubeconfig)}
        return bench.doit(
            *words, f"bundle={bench.dist / f'{app}-1.0'}", f"state={self.place / 'state'}",
            f"registry=http://{self.registry}/team",
        )  # fmt: skip

    def entries(self, app: str) -> list[dict[str, str]]:
        """The history that is shown for an application."""
        ran = self.run(app, "one", "history", "--json")
        assert ran.code == 0, ran.err
        assert faults("history", ran.out) == []
        found: list[dict[str, str]] = json.loads(ran.out)["history"]
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    apps = {}
    for name in ("app", "shop"):
        bench = make(tmp_path / name, images=("one",), bundle={"name": name, "sbom": False, "report": False})
        release = {"name": name, "chart": "app", "namespace": name}
        bench.write({**bench.spec, "install": {"releases": [release]}})
        made = bench.doit("bundle")
        assert made.code == 0, made.err
        apps[name] = bench
    with throwaway_registry(tmp_path / "registry") as (_, host):
        yield Machine(tmp_path, host, apps)


def test_none_is_taken_for_another(machine: Machine) -> None:
    first = machine.run("app", "one", "install")
    assert first.code == 0, first.out + first.err
    other = machine.run("app", "two", "install")
    assert other.code == 0, other.out + other.err
    assert {"helm:app", "receipt"} <= set(other.steps), "what is on one cluster is not on the other"
    assert machine.run("shop", "one", "install").code == 0
    for app, cluster in (("app", "one"), ("app", "two"), ("shop", "one")):
        again = machine.run(app, cluster, "install")
        assert (again.code, again.steps) == (0, []), again.out
        assert "nothing to do" in again.out
    receipts = sorted((machine.place / "state").glob("*/*/receipt.json"))
    assert [path.parent.parent.name for path in receipts] == ["app", "app", "shop"]
    assert [(each["what"], each["result"], each["cluster"]) for each in machine.entries("app")] == [
        ("install", "done", "https://one.example:6443"),
        ("install", "done", "https://two.example:6443"),
    ]
    assert machine.run("app", "one", "uninstall", "--yes").code == 0
    assert [each["what"] for each in machine.entries("app")] == ["install", "install", "uninstall"]
    assert machine.run("app", "two", "install").steps == []
    (machine.place / "one/bin/kubectl").write_text("#!/bin/sh\nexit 1\n")
    failed = machine.run("app", "one", "install")
    assert failed.code == 1
    assert machine.entries("app")[-1]["problem"].startswith("preflight: ")


def test_all_sites_at_once(machine: Machine) -> None:
    """Each site names its kubeconfig, which counts for more than KUBECONFIG; one of the two is installed."""
    bench = machine.apps["app"]
    machine.run("app", "one", "history")  # which writes the kubeconfig
    (bench.place / "sites").mkdir()
    (bench.place / "receipts").mkdir()
    for name in ("one", "two"):
        (bench.place / f"sites/{name}.yaml").write_text(f"kubeconfig: {machine.place}/{name}.kubeconfig\n")
    refused = machine.run("app", "one", "install", "site=all")
    assert refused.code == 3
    assert "name one: site=sites/NAME.yaml" in refused.err
    assert machine.run("app", "two", "install", f"site={bench.place}/sites/one.yaml").code == 0
    assert [each["cluster"] for each in machine.entries("app")] == ["https://one.example:6443"], "not KUBECONFIG's"
    planned = machine.run("app", "two", "plan", "install", "site=all", "--json")
    assert faults("plan", planned.out) == []
    plans = json.loads(planned.out)["sites"]
    assert [(each["site"], bool(each["plan"]), each["problem"]) for each in plans] == [
        ("one", True, ""),
        ("two", True, ""),
    ]
    due = [sum(step["run"] for step in each["plan"]["steps"]) for each in plans]
    assert due[0] == 0
    assert due[1] > 0
    shown = machine.run("app", "two", "plan", "install", "site=all")
    assert [line.split()[0] for line in shown.out.splitlines()] == ["SITE", "one", "two"]
    status = machine.run("app", "two", "status", "site=all")
    head, one, two = status.out.splitlines()[:3]
    assert head.split() == ["SITE", "APPLICATION", "VERSION", "INSTALLED", "STATUS"]
    assert one.split()[:3] == ["one", "app", "1.0"]
    assert one.endswith("good")
    assert two.split()[:3] == ["two", "app", "-"]
    assert faults("status", machine.run("app", "two", "status", "site=all", "--json").out) == []
