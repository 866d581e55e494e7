"""A node whose pods really run: containerd, kubelet, kube-proxy and DNS, in a network namespace with only loopback.

containerd looks for the settings of registries below `node/certs.d` (its hosts.toml), anew for each pull.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from bundle.errors import AirgapError
from bundle.storage.files import make_directories
from clients.cluster.kubectl import Kubectl
from clients.sandbox._control_plane import ControlPlane
from clients.sandbox._node_cgroups import NodeCgroups
from clients.sandbox._node_machine import HOME, machine
from clients.sandbox._node_parts import plugins
from clients.sandbox._pause_image import write_pause_image
from clients.sandbox.registry import serving

ADDRESS = "198.18.0.1"  # RFC 2544: for benchmarks, so nobody's
PODS = IPv4Network("198.18.128.0/17")
_NAME = "node"
_KUBELET, _PROXY, _DNS = f"system:node:{_NAME}", "system:kube-proxy", "airgap:dns"
USERS = {_KUBELET: "system:nodes", _PROXY: "system:authenticated", _DNS: "system:masters"}
_DOMAIN = "cluster.local"
_PAUSE = "node.invalid/pause:1"


@contextmanager
def real_node(plane: ControlPlane, admin: Kubectl, *, architecture: str) -> Iterator[None]:
    """Make this machine the only node of a control plane that runs, until the body ends; it is ready by then."""
    programs, root = plane.assets / "node", plane.root / "node"
    root.mkdir(mode=0o700)
    cgroups = NodeCgroups.make()
    with ExitStack() as stack:
        stack.callback(cgroups.remove)
        made = stack.enter_context(machine(programs, root))
        files = _Files(root=root, plane=plane)
        write_pause_image(programs / "pause", root / "pause.tar", _PAUSE, architecture=architecture)

        def ctr(*argv: str) -> list[str]:
            return ["ctr", f"--address={files.socket}", *argv]

        def start(name: str, *options: str, ready: tuple[str, ...] = ("true",)) -> None:
            log = plane.root / f"{name}.log"
            argv = made.inside([name, *options])
            stack.enter_context(serving(argv, log, ready=lambda: made.run(*ready).code == 0))

        start("containerd", f"--config={files.containerd()}", ready=tuple(ctr("version")))
        made.do(*ctr("--namespace=k8s.io", "images", "import", str(HOME / "pause.tar")))
        start("coredns", f"-conf={files.dns()}")
        start("kube-proxy", f"--config={files.proxy()}")
        options = [f"--kubeconfig={plane.login(_KUBELET)}", f"--root-dir={HOME / 'kubelet'}", f"--node-ip={ADDRESS}"]
        options += [f"--hostname-override={_NAME}", f"--cert-dir={HOME / 'kubelet' / 'pki'}"]
        argv = made.inside(["kubelet", f"--config={files.kubelet(cgroups)}", *options])
        stack.enter_context(serving(argv, plane.root / "kubelet.log", ready=lambda: _is_ready(admin)))
        stack.callback(made.end)
        yield


def _is_ready(admin: Kubectl) -> bool:
    try:
        node = admin.get("node", _NAME) or {}
    except AirgapError:
        return False
    conditions = node.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The settings of the node's programs, each written below `root` when it is asked for; the node sees it as HOME."""

    root: Path
    plane: ControlPlane

    @property
    def socket(self) -> Path:
        return HOME / "containerd.sock"

    def containerd(self) -> Path:
        make_directories(self.root / "certs.d")
        make_directories(self.root / "cni")
        ranges, routes = [[{"subnet": str(PODS)}]], [{"dst": "0.0.0.0/0"}]
        files = str(HOME / "addresses")
        addresses = {"type": "host-local", "dataDir": files, "ranges": ranges, "routes": routes}
        ptp = {"type": "ptp", "ipMasq": False, "ipam": addresses}
        chain = [ptp, {"type": "portmap", "capabilities": {"portMappings": True}}]
        network = {"cniVersion": "1.0.0", "name": "pods", "plugins": chain}
        self._json("cni/10-pods.conflist", network)
        cri = '[plugins."io.containerd.cri.v1'
        text = f"""\
version = 3
root = "{HOME}/containerd"
state = "{HOME}/containerd-state"
[grpc]
address = "{self.socket}"
{cri}.images".pinned_images]
sandbox = "{_PAUSE}"
{cri}.images".registry]
config_path = "{HOME}/certs.d"
{cri}.runtime"]
disable_apparmor = true
restrict_oom_score_adj = true
{cri}.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{cri}.runtime".cni]
bin_dirs = ["{plugins()}"]
conf_dir = "{HOME}/cni"
"""
        return self._text("containerd.toml", text)

    def kubelet(self, cgroups: NodeCgroups) -> Path:
        """It answers whoever asks: nobody is in its network but its own pods."""
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroups.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "clusterDNS": [ADDRESS],
            "clusterDomain": _DOMAIN,
            "resolvConf": "",
            "volumePluginDir": str(HOME / "kubelet" / "plugins-exec"),
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
        }
        return self._json("kubelet.json", settings)

    def proxy(self) -> Path:
        conntrack = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
        settings = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(self.plane.login(_PROXY))},
            "hostnameOverride": _NAME,
            "clusterCIDR": str(PODS),
            "conntrack": conntrack,
        }
        return self._json("proxy.json", settings)

    def dns(self) -> Path:
        """Names of the cluster; that there are no others is said at once."""
        text = f"""\
.:53 {{
  bind {ADDRESS}
  errors
  kubernetes {_DOMAIN} in-addr.arpa {{
    kubeconfig {self.plane.login(_DNS)} rehearsal
  }}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""
        return self._text("Corefile", text)

    def _json(self, name: str, content: object) -> Path:
        return self._text(name, json.dumps(content))

    def _text(self, name: str, text: str) -> Path:
        (self.root / name).write_text(text)
        return HOME / name
