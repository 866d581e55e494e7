"""`kill -9` in every step, and an API server that goes away: the next run ends well."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.cluster.pods.workloads import KINDS
from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster, asset
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.servers.faulty_registry import FaultyRegistry, faulty_registry, stall

# Does nothing for as long as the file `hold` lies beside it and holds a part of the command line, and what the file
# `when` names, if there is one, tells of a release that was changed.
HELD = """\
#!/bin/sh
here=$(dirname "$0")
part=$(cat "$here/hold" 2>/dev/null)
when=$(cat "$here/when" 2>/dev/null || echo /)
[ "$when" = / ] || grep -qs after "$when" || part=
case "$*" in
*"${part:-nothing is held}"*) touch "$here/held"; while [ -e "$here/hold" ]; do sleep 0.05; done; exit 1 ;;
esac
exec "$(cat "$here/real")" "$@"
"""
ACTION = """\
#!/bin/sh
echo "$$" >> "$RUNS/runs"
while [ -e "$RUNS/hold" ]; do sleep 0.05; done
echo '{"answer": 42}'
"""


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def kill(site: Site, condition: Callable[[], bool]) -> str:
    """Start install, kill all of it when it has come so far, and return what it told until then."""
    with site.start("install") as process:
        wait_until(condition, process)
        os.killpg(process.pid, signal.SIGKILL)
        told, _ = process.communicate()
    return told


@contextmanager
def full(site: Site) -> Iterator[None]:
    """No node takes a pod while the body runs, so that helm has to wait."""
    kubectl = site.helm.cluster.kubectl
    nodes = kubectl("get", "nodes", "-o", "name").split()
    kubectl("cordon", *nodes)
    try:
        yield
    finally:
        kubectl("uncordon", *nodes)


def has_made_all(site: Site) -> bool:
    """Whether helm only waits: what it makes last, the deployment, has reached the controllers."""
    return bool(site.helm.cluster.kubectl("get", "replicasets", "-n", site.namespace, "-o", "name").strip())


def is_pending(site: Site) -> bool:
    """Whether helm is at work on the release."""
    found = site.helm.cluster.kubectl(
        "get", "secrets", "-n", site.namespace, "-l", "owner=helm,status in (pending-install,pending-upgrade)",
        "-o", "name", "--ignore-not-found",
    )  # fmt: skip
    return bool(found.strip())


@pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
def test_killed_in_every_step_in_turn(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> None:
    with faulty_registry() as faulty:
        site = chain(tmp_path, faulty, registry, helm, cluster)
        hold = tmp_path / "bin/hold"

        faulty.plan("PUT /v2/in/web/blobs", *[stall(0)] * 3)
        told = kill(site, lambda: bool(faulty.requests("PUT /v2/in/web/blobs")))
        assert "push:web" not in told

        released = site.installation / "revisions.json"
        for part, step in (("apply --server-side", "secret:login"), (f"get {KINDS}", "health:web")):
            hold.write_text(part)
            (tmp_path / "bin/when").write_text("/" if step == "secret:login" else str(released))
            told = kill(site, (tmp_path / "bin/held").exists)
            assert step not in told
            hold.unlink()
            (tmp_path / "bin/held").unlink()
            if step == "secret:login":
                with full(site):
                    told = kill(site, lambda: is_pending(site))
                assert "helm:web" not in told
            else:
                assert "left by an interrupted helm: removed it" in told

        runs = tmp_path / "runs"
        (tmp_path / "hold").touch()
        told = kill(site, runs.exists)
        assert "health:web" in told
        assert "helm:web" not in told
        (first,) = runs.read_text().split()
        deadline = time.monotonic() + 60  # the kernel ends it, after its install is gone
        while is_alive(int(first)):
            assert time.monotonic() < deadline, "an action does not outlive its install"
            time.sleep(0.02)
        (tmp_path / "hold").unlink()

        last = site.install()
    assert not [path for path in Path("/dev/shm").glob("airgap-values-*") if not is_alive(int(path.name.split("-")[2]))]
    assert last.steps == ["action:ask", "preflight", "receipt"]
    assert site.revision("web") == 1
    assert len(runs.read_text().split()) == 2
    assert site.secret("login") == {"password": "hush-hush"}


def chain(tmp_path: Path, faulty: FaultyRegistry, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    """A site with a release, a secret and an action, whose kubectl can be held."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.bench.spec["registry"] = {"prefix": f"registry.internal/{site.namespace}", "push": f"{faulty.host}/in"}
    site.bench.spec["registries"] = {faulty.host: {"plain_http": True}}
    site.plan["secrets"] = [
        {"name": "login", "type": "opaque", "namespaces": [site.namespace], "data": {"password": "${env.PASSWORD}"}}
    ]
    site.plan["actions"] = [{"name": "ask", "run": ["./ask.sh"], "after": ["web"], "outputs": "json"}]
    held = tmp_path / "bin"
    held.mkdir()
    (held / "real").write_text(asset("kubectl"))
    for path, text in ((held / "kubectl", HELD), (site.bench.place / "ask.sh", ACTION)):
        path.write_text(text)
        path.chmod(0o755)
    site.env |= {"PASSWORD": "hush-hush", "RUNS": str(tmp_path), "PATH": f"{held}{os.pathsep}{helm.env['PATH']}"}
    site.carry()
    return site


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_killed_in_an_upgrade(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> None:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.carry()
    site.install()
    site.values(VALUES.replace("replicas: 1", "replicas: 3"))
    site.carry()
    with full(site):
        kill(site, lambda: is_pending(site))
        assert is_pending(site), "helm was gone at once, and could not tidy up"
    ran = site.install()
    assert "found release 'web' pending-upgrade at revision 2, left by an interrupted helm" in ran.out
    assert "went back to revision 1" in ran.out
    assert site.get("deployment", "web")["spec"]["replicas"] == 3
    history = json.loads(helm.run("history", "web", "-n", site.namespace, "-o", "json"))
    assert history[-1]["status"] == "deployed"
    assert site.install().steps == []


@pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])
def test_an_api_server_that_goes_away(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> None:
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.carry()
    with full(site):
        process = site.start("install")
        wait_until(lambda: has_made_all(site), process)
        cluster.stop_apiserver()
        try:
            away = site.run("preflight")
        finally:
            cluster.start_apiserver()
    with process:
        told, _ = process.communicate(timeout=120)
    assert away.code == 1
    assert "cluster" in away.err
    assert process.returncode == 0, told  # helm asks again until its time is up
    assert site.get("deployment", "web")["status"]["readyReplicas"] == 1
    assert site.install().steps == []


@pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])
def test_two_installs_at_once(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> None:
    """The second one does not take the first one's release for one that was left."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.carry()
    with full(site):
        first = site.start("install")
        wait_until(lambda: is_pending(site), first)
        second = site.start("install")
        assert second.stdout
        line = ""
        while "waiting for it" not in line:
            line = second.stdout.readline()
            assert line, "it did not wait"
    with first, second:
        told, _ = first.communicate(timeout=60)
        then, _ = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), told + then
    assert f"(process {first.pid})" in line
    assert "left by an interrupted helm" not in then
    assert site.install().steps == []
