"""A node or an API server that fails while a release comes up: it is told with its cause, and the next run goes on."""

import json
import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bundle.charts.package import package_chart
from bundle.errors import AirgapError
from clients.cluster.helm import Helm
from clients.cluster.kubectl import Kubectl
from clients.cluster.pods.trouble import Patience
from clients.cluster.pods.watch import Watch
from clients.cluster.rollout import install_release
from clients.cluster.waiting import await_ready
from tests.fixtures.fates import SLEEP, pod, sh
from tests.fixtures.images.busybox import busybox_layer
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.parts import CommandError, running
from tests.fixtures.places import CHARTS

CONTENT = "/run/airgap-node/containerd/io.containerd.content.v1.content"
# What the runtime keeps of images lies on a file system of its own, with hardly any room.
FULL = f"""
mkdir -p /run/small
mount -t tmpfs -o size=$(($(du -sk {CONTENT} | cut -f1) + 300))k full /run/small
cp -a {CONTENT}/. /run/small
mount --bind /run/small {CONTENT}
umount --lazy /run/small
"""
# Of controllers that do not wait for 50 seconds until they take a node for lost.
IMPATIENT = ("--node-monitor-period=1s", "--node-monitor-grace-period=3s")


class Stage:
    """A namespace of the node with one release, of an image that the node does not have yet."""

    def __init__(self, node: Node, place: Path) -> None:
        self.node = node
        self.namespace = node.new_namespace("fault")
        node.registry.put(image(busybox_layer(), layer(self.namespace, 2_000_000)), "tools/busybox", self.namespace)
        node.kubectl("create", "namespace", self.namespace)
        node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", self.namespace, "--timeout=60s")
        self.chart = place / "fate-1.0.0.tgz"
        self.chart.write_bytes(package_chart(CHARTS / "fate", name="fate", subject="chart 'fate'"))
        self.values = place / "values.json"

    def api_answers(self) -> bool:
        with suppress(CommandError):
            return self.node.kubectl("get", "--raw", "/readyz") == "ok"
        return False

    def node_is_ready(self) -> bool:
        with suppress(CommandError):
            self.node.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=1s")
            return True
        return False

    def install(self, script: str = SLEEP, *, before: int = 0, patience: float = 2.0) -> None:
        """Install the release as its two steps do; what is away counts after so many seconds."""
        container = {**sh(script), "image": f"{self.node.registry.host}/tools/busybox:{self.namespace}"}
        self.values.write_text(json.dumps(pod(container)))
        helm = Helm(asset("helm4"), kubeconfig=self.node.kubeconfig)
        watching = Watch(
            "web",
            namespace=self.namespace,
            cluster=Kubectl(asset("kubectl"), kubeconfig=self.node.kubeconfig),
            patience=Patience(unreached_registry=patience, unready_node=patience),
        )
        helm.recover("web", namespace=self.namespace, timeout=60)
        install_release(helm, watching, self.chart, before=before, values=self.values, timeout=200, interval=2)
        await_ready(watching, timeout=200, interval=2)


@pytest.fixture
def stage(node: Node, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(node, tmp_path)
    yield made
    node.kubectl("delete", "namespace", made.namespace, "--wait=false")


class Program:
    """A running program of the node, which can be killed and started again as it was."""

    def __init__(self, node: Node, name: str) -> None:
        self.node, self.name = node, name
        self.root = node.kubeconfig.parent
        found = [each for each in Path("/proc").glob("[0-9]*") if self._is(each)]
        assert len(found) == 1, (name, found)
        self.pid = int(found[0].name)
        self.argv = [os.fsdecode(word) for word in (found[0] / "cmdline").read_bytes().split(b"\0")[:-1]]
        self.path = re.findall(rb"(?:^|\0)(PATH=[^\0]*)", (found[0] / "environ").read_bytes())[-1].decode()

    def kill(self) -> None:
        """End it at once; its sockets are free again when this returns."""
        gone, handle = select.poll(), os.pidfd_open(self.pid)
        try:
            gone.register(handle, select.POLLIN)
            os.kill(self.pid, signal.SIGKILL)
            assert gone.poll(60_000), f"{self.name} does not end"
        finally:
            os.close(handle)

    def start(self, *enter: str, options: Sequence[str] = (), ready: Callable[[], bool] = lambda: True) -> None:
        """Run it again, with more options, until the node ends."""
        argv = [*enter, "env", self.path, *self.argv, *options]
        self.node.kept.enter_context(running(argv, self.root / f"{self.name}-again.log", ready=ready))

    def _is(self, process: Path) -> bool:
        """Whether it is that of this node, whose files it sees in their own place or elsewhere."""
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            mounts = (process / "mountinfo").read_text()
        except OSError:
            return False
        ours = any(str(self.root).encode() in word for word in words) or f"{self.root}/node" in mounts
        return os.path.basename(words[0]) == self.name.encode() and ours


def inside(node: Node) -> list[str]:
    """The command that runs another one where the node's programs are."""
    return ["nsenter", f"--target={Program(node, 'containerd').pid}", "--mount", "--pid", "--"]


def test_a_node_without_room_for_the_image(stage: Stage, node: Node) -> None:
    subprocess.run([*inside(node), "sh", "-ec", FULL], check=True)
    try:
        with pytest.raises(AirgapError, match=r"can't be pulled: .*no space left on device") as caught:
            stage.install()
        assert "free disk space where the node keeps images" in caught.value.hint
    finally:
        subprocess.run([*inside(node), "umount", "--lazy", CONTENT], check=True)
    stage.install()


def test_an_api_server_that_is_killed_while_pods_come_up(stage: Stage, node: Node) -> None:
    """It is away for some seconds: helm goes on or gives up, and whatever it did, the next run ends well."""
    server = Program(node, "kube-apiserver")
    killer = threading.Timer(3, server.kill)
    killer.start()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(stage.install, f"sleep 5; {SLEEP}")
        killer.join()
        server.start(ready=stage.api_answers)
        failed = first.exception()
    assert failed is None or "refused" in str(failed)
    stage.install(before=1 if failed is None else 0)


def test_a_kubelet_that_is_killed_while_pods_come_up(stage: Stage, node: Node) -> None:
    kubelet, controllers = Program(node, "kubelet"), Program(node, "kube-controller-manager")
    kubelet.kill()
    controllers.kill()
    controllers.start(options=IMPATIENT)
    with pytest.raises(AirgapError, match="its node node is not ready: Kubelet stopped posting node status") as caught:
        stage.install()
    assert "kubectl describe node node" in caught.value.hint
    Program(node, "kube-controller-manager").kill()
    controllers.start()
    kubelet.start(*inside(node), ready=stage.node_is_ready)
    stage.install()
