"""A node whose pods really run: containers are pulled and started, find each other by name, and nothing is left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.images.busybox import busybox_image
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.nodes import Node
from tests.fixtures.places import ROOT

# Starts a cluster in a network of its own, says so, and waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
from clients.sandbox.network import isolate
from clients.sandbox.cluster import throwaway_cluster
assert isolate() == ""
with throwaway_cluster(Path(sys.argv[1]), Path(sys.argv[2]), architecture="amd64"):
    print("ready", flush=True)
    time.sleep(600)
"""


def pod(name: str, image: str, *command: str) -> dict[str, object]:
    container = {"name": "main", "image": image, "command": ["/bin/sh", "-c", *command]}
    spec = {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


def test_pods_run_and_find_each_other_by_name(node: Node) -> None:
    namespace = node.new_namespace()
    node.registry.put(busybox_image(), "tools/busybox", "1")
    image = f"{node.registry.host}/tools/busybox:1"
    node.kubectl("create", "namespace", namespace)
    node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=30s")
    serve = pod("web", image, "echo here I am > /tmp/index.html; exec httpd -f -p 8080 -h /tmp")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    ask = pod("client", image, "until wget -q -O - http://web/; do sleep 0.2; done; wget -q http://x.example.com || :")
    items = {"apiVersion": "v1", "kind": "List", "items": [serve, service, ask]}
    node.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(items))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    node.kubectl("wait", done, "pod/client", "-n", namespace, "--timeout=60s")
    said = node.kubectl("logs", "client", "-n", namespace)
    assert "here I am" in said
    assert "bad address 'x.example.com'" in said, "there are no other names"
    address = str(node.get("service", "web", "-n", namespace)["spec"]["clusterIP"])  # type: ignore[index]
    seen = subprocess.run(["curl", "-sS", "-m", "10", f"http://{address}/"], capture_output=True, text=True, check=True)
    assert seen.stdout == "here I am\n", "by its service's address, from the machine"


def test_a_registry_that_wants_a_login_is_pulled_from_with_the_pods_secret(node: Node) -> None:
    namespace, guarded = node.new_namespace(), node.guarded
    node.trust(guarded)
    guarded.put(busybox_image(), "tools/busybox", "1")
    node.kubectl("create", "namespace", namespace)
    node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=30s")
    login = [f"--docker-server={guarded.host}", f"--docker-username={guarded.username}"]
    login += [f"--docker-password={guarded.password}"]
    node.kubectl("create", "secret", "docker-registry", "login", "-n", namespace, *login)
    made = pod("one", f"{guarded.host}/tools/busybox:1", "true")
    made["spec"]["imagePullSecrets"] = [{"name": "login"}]  # type: ignore[index]
    node.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(made))
    node.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/one", "-n", namespace, "--timeout=60s")


@pytest.mark.usefixtures("node")
def test_nothing_is_left_of_one_that_is_killed(tmp_path: Path) -> None:
    assets = str(Path(asset("kube-apiserver")).parent)
    root = tmp_path / "cluster"
    argv = [sys.executable, "-c", STARTER, assets, str(root)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert processes(root)
        assert [each for each in cgroups() if f"-{process.pid}-" in each.name]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 20
    while processes(root):
        assert time.monotonic() < deadline, processes(root)
        time.sleep(0.1)
    assert str(root) not in Path("/proc/self/mounts").read_text()
    with subprocess.Popen([*argv[:-1], str(tmp_path / "next")], cwd=ROOT, stdout=subprocess.PIPE, text=True) as after:
        assert after.stdout
        assert after.stdout.readline() == "ready\n"
        assert not [each for each in cgroups() if f"-{process.pid}-" in each.name], "the next one sweeps"
        after.terminate()
        after.wait()


def processes(root: Path) -> list[str]:
    """The command lines that name this directory, but for our own."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(root) in line and STARTER[:20] not in line:
            found.append(line)
    return found


def cgroups() -> list[Path]:
    return [*Path("/sys/fs/cgroup").glob("airgap-node-*"), *Path("/sys/fs/cgroup").glob("*/airgap-node-*")]
