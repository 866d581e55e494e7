"""Releases inside: in order, upgraded one by one, stopped early for a cause that stays, rolled back, recovered."""

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import VALUES, Site, make_site, steps
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.clusters import LOG_LINE, Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry


def pods(site: Site, app: str) -> dict[str, str]:
    """The pods of an app with their images."""
    found = json.loads(site.helm.cluster.kubectl("get", "pods", "-n", site.namespace, "-l", f"app={app}", "-o", "json"))
    return {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in found["items"]}


@pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])
def test_three_releases_in_order_and_one_changed_image(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """A hook's Job runs; a password that its chart makes by `lookup` stays; a new version upgrades what it changes."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace(), charts=("web", "hook", "generated"))
    write_layout(site.bench.place / "images/job", image(layer("job", 9_000)), "example.com/job:1.0")
    images = site.bench.spec["images"]
    assert isinstance(images, list)
    images.append({"name": "job", "source": "oci:images/job", "target": "job:1.0"})
    (site.bench.place / "values/hook.yaml").write_text(
        "image: {repository: '${image.job.repository}', tag: '${image.job.tag}'}\n"
    )
    web, hook, _ = site.plan["releases"]
    hook |= {"needs": ["generated"], "values": ["values/hook.yaml"]}
    web["after"] = ["hook"]
    site.carry()
    first = site.install()
    done = [line.split()[0] for line in first.out.splitlines() if line.startswith(("helm:", "health:"))]
    assert done == ["helm:generated", "health:generated", "helm:hook", "health:hook", "helm:web", "health:web"]
    password = site.secret("generated-password")

    images[1]["target"] = "job:1.1"
    site.bench.spec["bundle"] = {"name": "app", "version": "1.1"}
    site.carry()
    second = site.install()
    assert steps(second, "push", "helm", "health") == ["health:hook", "helm:hook", "push:job"]
    assert {site.revision("web"), site.revision("generated")} == {1}
    assert site.revision("hook") == 2
    history = json.loads(helm.run("history", "hook", "-n", site.namespace, "-o", "json"))
    assert [each["description"] for each in history] == ["bundle app 1.0", "bundle app 1.1"]

    shutil.rmtree(site.state)
    site.install()
    assert site.secret("generated-password") == password
    assert site.install().steps == []


def test_causes_that_stay_are_told_instead_of_waited_for(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace(), charts=("unpullable", "broken-hook", "web"))
    images = site.bench.spec["images"]
    assert isinstance(images, list)
    images.append({"name": "refused", "source": "oci:images/web", "target": "web:pull-fails"})
    (site.bench.place / "values/refused.yaml").write_text(VALUES.replace(".web.", ".refused."))
    unpullable, broken, web = site.plan["releases"]
    unpullable |= {"values": ["values/refused.yaml"], "timeout": "5m"}
    broken["timeout"] = "5m"
    web["needs"] = ["broken-hook"]
    site.carry()
    ran = site.refused()
    assert "release 'unpullable' does not come up: pod unpullable-" in ran.err
    assert "Failed to pull image: manifest unknown" in ran.err
    assert "release 'broken-hook' does not come up: pod broken-hook-migrate-" in ran.err
    assert LOG_LINE in ran.err
    assert "container 'migrate' ended with exit code 1" in ran.err
    assert "timed out" not in ran.err
    assert "helm:web" not in ran.steps, "what needs a failed release does not start"
    assert {site.revision("unpullable"), site.revision("broken-hook"), site.revision("web")} == {0}


def test_a_broken_upgrade_is_rolled_back(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.carry()
    site.install()
    before = pods(site, "web")
    images = site.bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = "web:pull-fails"
    site.carry()
    ran = site.refused()
    assert "release 'web' does not come up: pod web-" in ran.err
    assert "receipt" not in ran.steps
    history = json.loads(helm.run("history", "web", "-n", site.namespace, "-o", "json"))
    assert [each["status"] for each in history] == ["superseded", "failed", "deployed"]
    assert history[-1]["description"] == "Rollback to 1"
    assert before.items() <= pods(site, "web").items(), "the old pods went on"
    images[0]["target"] = "web:1.2"
    site.carry()
    assert "helm:web" in site.install().steps
    assert set(pods(site, "web").values()) == {f"{registry.host}/{site.namespace}/web:1.2"}


def test_a_check_that_fails_makes_nothing_stale(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """One mistyped address, or a bundle that was carried badly: put right, the next install has nothing to do."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace(), charts=("hook", "web"))
    site.plan["checks"] = [{"tcp": "${site.address}"}]
    site.values(VALUES.replace("replicas: 1", "replicas: ${site.replicas}"))
    site.carry()
    right, wrong = site.inside / "right.yaml", site.inside / "wrong.yaml"
    right.write_text(f"address: {registry.host}\nreplicas: 1\n")
    wrong.write_text("address: 127.0.0.1:1\nreplicas: 2\n")
    site.install(f"site={right}")
    assert "preflight" in site.refused(f"site={wrong}").err
    assert steps(site.install(f"site={right}"), "values", "secret", "namespace", "helm", "health", "receipt") == []
    manifest = site.carried / "manifest.txt"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b"?")
    assert "verify" in site.refused(f"site={right}").err
    manifest.write_bytes(whole)
    assert steps(site.install(f"site={right}"), "values", "secret", "namespace", "helm", "health", "receipt") == []
    assert {site.revision("hook"), site.revision("web")} == {1}
