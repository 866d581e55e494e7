"""A Kubernetes on loopback for a rehearsal: etcd, API server, controllers, scheduler; kwok simulates its nodes.

The programs are those of the directory that KUBEBUILDER_ASSETS names.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from bundle.errors import AirgapError
from clients.cluster.kubectl import Kubectl
from clients.sandbox._control_plane import ADMIN, USERS, ControlPlane
from clients.sandbox.registry import free_ports, serving

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl")
SERVICES = IPv4Network("10.96.0.0/16")
_NODES = ("node-a", "node-b")
_STAGES = Path(__file__).with_name("simulated_nodes.yaml")
_USERS = {**USERS, "system:kwok": "system:masters"}


def lacking(assets: Path) -> tuple[str, ...]:
    """The programs that a cluster needs and this directory does not have."""
    return tuple(name for name in PROGRAMS if not os.access(assets / name, os.X_OK))


@contextmanager
def throwaway_cluster(assets: Path, root: Path, *, architecture: str) -> Iterator[Path]:
    """Start one with all its data below `root`; gives the administrator's kubeconfig when its nodes are ready."""
    root.mkdir(mode=0o700, parents=True)
    client, peer, port = free_ports(3)
    plane = ControlPlane(
        assets=assets,
        root=root,
        address="127.0.0.1",
        port=port,
        etcd_ports=(client, peer),
        services=SERVICES,
        users=_USERS,
    )
    plane.write_logins()
    admin = Kubectl(assets / "kubectl", kubeconfig=plane.login(ADMIN))
    with ExitStack() as stack:
        stack.enter_context(serving(plane.etcd(), root / "etcd.log", ready=(root / "etcd" / "member").exists))
        # 127.0.0.1 can't be an endpoint of the Service "kubernetes".
        argv = plane.apiserver(endpoint_reconciler_type="none")
        stack.enter_context(serving(argv, root / "api.log", ready=partial(_has, admin, "namespace", "default")))
        # Pods are refused until the controllers have made the account.
        made = partial(_has, admin, "serviceaccount", "default", "default")
        stack.enter_context(serving(plane.controllers(), root / "controllers.log", ready=made))
        stack.enter_context(serving(plane.scheduler(), root / "scheduler.log", ready=lambda: True))
        for name in _NODES:
            admin.create(_node(name, architecture))
        kwok = [str(assets / "kwok"), f"--kubeconfig={plane.login('system:kwok')}", f"--config={_STAGES}"]
        kwok += ["--manage-all-nodes", "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40"]
        stack.enter_context(serving(kwok, root / "kwok.log", ready=partial(_nodes_ready, admin)))
        yield plane.login(ADMIN)


def _has(cluster: Kubectl, kind: str, name: str, namespace: str = "") -> bool:
    try:
        return cluster.get(kind, name, namespace=namespace) is not None
    except AirgapError:
        return False


def _nodes_ready(cluster: Kubectl) -> bool:
    nodes = cluster.list("node")
    ready = [each for node in nodes for each in node.get("status", {}).get("conditions", ()) if each["type"] == "Ready"]
    return len(ready) == len(_NODES) and all(each["status"] == "True" for each in ready)


def _node(name: str, architecture: str) -> dict[str, object]:
    size = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "500"}
    system = {"architecture": architecture, "operatingSystem": "linux"}
    blank = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeletVersion", "machineID", "osImage")
    info = {**dict.fromkeys((*blank, "kubeProxyVersion", "systemUUID"), "simulated"), **system}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": architecture, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": size, "allocatable": size, "nodeInfo": info},
    }
