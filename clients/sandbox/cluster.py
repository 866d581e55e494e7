"""A Kubernetes on loopback for a rehearsal: etcd, API server, controllers, scheduler, and a node whose pods run.

Where that can't be, kwok simulates nodes. The programs are those of the directory that KUBEBUILDER_ASSETS names, and
`node` in it.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from bundle.errors import AirgapError
from bundle.storage.private import make_private
from clients.cluster.kubectl import Kubectl
from clients.sandbox._control_plane import ADMIN, USERS, ControlPlane
from clients.sandbox._node import ADDRESS, PODS, real_node
from clients.sandbox._node import USERS as NODE_USERS
from clients.sandbox._node_parts import missing_for_node
from clients.sandbox.network import add_address
from clients.sandbox.registry import free_ports, serving

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl")
SERVICES = IPv4Network("10.96.0.0/16")
OWN = (SERVICES, PODS, IPv4Network(ADDRESS))
NODE_ADDRESS = ADDRESS  # where pods reach this machine
_NODES = ("node-a", "node-b")
_STAGES = Path(__file__).with_name("simulated_nodes.yaml")
_REAL = {"allow_privileged": "true", "kubelet_preferred_address_types": "InternalIP"}
_WHY = "airgap.rehearsal/simulated"


def lacking(assets: Path) -> tuple[str, ...]:
    """The programs that a cluster needs and this directory does not have."""
    return tuple(name for name in PROGRAMS if not os.access(assets / name, os.X_OK))


def throwaway_cluster(assets: Path, root: Path, *, architecture: str) -> AbstractContextManager[Path]:
    """Start one with all its data below `root`; gives the administrator's kubeconfig when its nodes are ready.

    Its pods run, unless something is missing for that here: `why_simulated` then tells what.
    """
    return _cluster(assets, root, architecture, why_not_real(assets, architecture))


def why_not_real(assets: Path, architecture: str) -> str:
    """Why the nodes of a throwaway cluster would be simulated here; empty when its pods would run."""
    return missing_for_node(assets, architecture)


def simulated_cluster(assets: Path, root: Path, *, architecture: str) -> AbstractContextManager[Path]:
    """The same, with simulated nodes whatever could be had."""
    return _cluster(assets, root, architecture, "pods=simulated")


@contextmanager
def _cluster(assets: Path, root: Path, architecture: str, why: str) -> Iterator[Path]:
    make_private(root)
    client, peer, port = free_ports(3)
    if not why:
        add_address(ADDRESS)
    plane = ControlPlane(
        assets=assets,
        root=root,
        address="127.0.0.1" if why else ADDRESS,
        port=port,
        etcd_ports=(client, peer),
        services=SERVICES,
        users={**USERS, **({"system:kwok": "system:masters"} if why else NODE_USERS)},
    )
    plane.write_logins()
    admin = Kubectl(assets / "kubectl", kubeconfig=plane.login(ADMIN))
    # 127.0.0.1 can't be an endpoint of the Service "kubernetes".
    options = {"endpoint_reconciler_type": "none"} if why else _REAL
    with ExitStack() as stack:
        stack.enter_context(serving(plane.etcd(), root / "etcd.log", ready=(root / "etcd" / "member").exists))
        ready = partial(_has, admin, "namespace", "default")
        stack.enter_context(serving(plane.apiserver(**options), root / "api.log", ready=ready))
        # Pods are refused until the controllers have made the account.
        made = partial(_has, admin, "serviceaccount", "default", "default")
        stack.enter_context(serving(plane.controllers(), root / "controllers.log", ready=made))
        stack.enter_context(serving(plane.scheduler(), root / "scheduler.log", ready=lambda: True))
        if why:
            stack.enter_context(_simulated_nodes(plane, admin, architecture, why))
        else:
            stack.enter_context(real_node(plane, admin, architecture=architecture))
        yield plane.login(ADMIN)


def why_simulated(admin: Kubectl) -> str:
    """Why the nodes of a throwaway cluster only say that pods run; empty where they do."""
    reasons = [node["metadata"].get("annotations", {}).get(_WHY, "") for node in admin.list("node")]
    return next(filter(None, reasons), "")


@contextmanager
def _simulated_nodes(plane: ControlPlane, admin: Kubectl, architecture: str, why: str) -> Iterator[None]:
    for name in _NODES:
        admin.create(_node(name, architecture, why))
    kwok = [str(plane.assets / "kwok"), f"--kubeconfig={plane.login('system:kwok')}", f"--config={_STAGES}"]
    kwok += ["--manage-all-nodes", "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40"]
    with serving(kwok, plane.root / "kwok.log", ready=partial(_nodes_ready, admin)):
        yield


def _has(cluster: Kubectl, kind: str, name: str, namespace: str = "") -> bool:
    try:
        return cluster.get(kind, name, namespace=namespace) is not None
    except AirgapError:
        return False


def _nodes_ready(cluster: Kubectl) -> bool:
    nodes = cluster.list("node")
    ready = [each for node in nodes for each in node.get("status", {}).get("conditions", ()) if each["type"] == "Ready"]
    return len(ready) == len(_NODES) and all(each["status"] == "True" for each in ready)


def _node(name: str, architecture: str, why: str) -> dict[str, object]:
    size = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "500"}
    system = {"architecture": architecture, "operatingSystem": "linux"}
    blank = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeletVersion", "machineID", "osImage")
    info = {**dict.fromkeys((*blank, "kubeProxyVersion", "systemUUID"), "simulated"), **system}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": architecture, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {_WHY: why}},
        "status": {"capacity": size, "allocatable": size, "nodeInfo": info},
    }
