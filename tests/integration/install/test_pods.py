"""What pods do after helm has called them ready, and before: told, waited for, and never cut off in the middle."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.clusters import LOG_LINE, Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])


def fated(site: Site, fate: str) -> None:
    """Have the simulated nodes do this to new pods of deployment `web`; a change by hand, which no release knows."""
    label = {"airgap.test/fate": fate or None}
    patch = {
        "spec": {"template": {"metadata": {"labels": label}}, "strategy": {"type": "Recreate", "rollingUpdate": None}}
    }
    site.helm.cluster.kubectl("patch", "deployment", "web", "-n", site.namespace, "-p", json.dumps(patch))


def pods(site: Site) -> list[dict[str, object]]:
    found = json.loads(site.helm.cluster.kubectl("get", "pods", "-n", site.namespace, "-o", "json"))["items"]
    assert isinstance(found, list)
    return found


def wait_for(site: Site, words: str) -> None:
    """Wait until the pods say so somewhere."""
    deadline = time.monotonic() + 60
    while words not in json.dumps(pods(site)):
        assert time.monotonic() < deadline, pods(site)
        time.sleep(0.2)


def test_ready_for_an_instant_is_not_installed(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """helm takes it for ready: without a readiness probe a container is, for as long as it runs."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    images = site.bench.spec["images"]
    assert isinstance(images, list)
    images[0]["target"] = "web:exits"
    site.plan["releases"][0] |= {"steady": "10s", "timeout": "5m"}
    site.carry()
    ran = site.refused()
    assert "helm:web" in ran.steps
    assert "receipt" not in ran.steps
    assert "FAILED health:web: release 'web' is deployed, but its pods fail: pod web-" in ran.err
    assert "times, last by Error with exit code 2" in ran.err
    assert f"    {LOG_LINE}" in ran.err
    assert "\n   health:web: waiting for " in ran.out
    assert "container 'web' ended" in ran.out, "told long before it counts"

    images[0]["target"] = "web:1.1"
    site.carry()
    began = time.monotonic()
    assert {"helm:web", "health:web", "receipt"} <= set(site.install().steps)
    assert time.monotonic() - began > 10, "it has to stay ready"
    assert site.install().steps == []


def test_a_run_with_nothing_to_do_looks_at_the_pods(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.carry()
    site.install()
    fated(site, "pull-fails")
    wait_for(site, "ImagePullBackOff")
    planned = site.run("plan", "install", "--json")
    due = {each["step"]: each["reason"] for each in json.loads(planned.out)["steps"] if each["run"]}
    assert "ImagePullBackOff" in due["health:web"]
    assert "helm:web" not in due
    ran = site.refused()
    assert "can't be pulled: manifest unknown: not found" in ran.err
    assert "nothing to do" not in ran.out
    assert site.revision("web") == 1
    fated(site, "")
    wait_for(site, '"ready": true')
    assert site.install().steps in (["health:web"], [])
    assert "nothing to do" in site.install().out


def test_a_kill_in_a_migration_lets_it_end(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """helm would delete the job of the killed run before it makes its own: in the middle of the migration."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace(), charts=("hook",))
    write_layout(site.bench.place / "images/job", image(layer("job", 9_000)), "example.com/job:1.0")
    values = site.bench.place / "values/web.yaml"
    values.write_text(values.read_text() + "fate: never-ready\n")
    site.carry()
    with site.start("install") as process:
        wait_for_job(site)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    job = site.get("job", "hook-migrate")
    values.write_text(values.read_text().replace("never-ready", "succeeds"))
    site.carry()
    with site.start("install") as process:
        assert process.stdout
        said = ""
        while "last log line: " not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        end(site)
        said += process.communicate()[0]
    assert process.returncode == 0, said
    assert "helm:hook: waiting for " in said
    assert "hook job hook-migrate of an earlier run, which is not cut off: " in said
    assert f"last log line: {LOG_LINE}" in said
    assert "left by an interrupted helm: removed it" in said
    assert site.get("job", "hook-migrate")["metadata"]["uid"] != job["metadata"]["uid"]


def wait_for_job(site: Site) -> None:
    namespaces = site.helm.cluster.kubectl
    deadline = time.monotonic() + 60
    while "running" not in namespaces("get", "pods", "-n", site.namespace, "-o", "json", "--ignore-not-found"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def end(site: Site) -> None:
    """Have the job's pod end well."""
    (pod,) = json.loads(site.helm.cluster.kubectl("get", "pods", "-n", site.namespace, "-o", "json"))["items"]
    container = {**pod["status"]["containerStatuses"][0], "ready": False, "started": False}
    container["state"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    status = json.dumps({"status": {"phase": "Succeeded", "containerStatuses": [container]}})
    name = pod["metadata"]["name"]
    site.helm.cluster.kubectl("patch", "pod", name, "-n", site.namespace, "--subresource=status", "-p", status)


def test_rollback_asks_for_health_without_what_the_newer_version_answers(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """The address has to answer; which version it names is the business of that version's bundle."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    address = f"http://{registry.host}/v2/"
    site.plan["releases"][0]["health"] = [{"url": address}]
    site.carry()
    site.install()
    site.plan["releases"][0]["health"] = [{"url": address, "text": "{}"}]
    values = site.bench.place / "values/web.yaml"
    values.write_text(values.read_text().replace("replicas: 1", "replicas: 2"))
    site.carry()
    site.install()
    ran = site.run("rollback")
    assert ran.code == 0, ran.err
    assert "release web: rolled back to revision 1 (now revision 3, chart web-1.0.0)\nrelease web: ready" in ran.out
