"""A Kubernetes on loopback for a rehearsal: etcd, API server, controllers, scheduler; kwok simulates its nodes.

The programs are those of the directory that KUBEBUILDER_ASSETS names.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from bundle.errors import AirgapError
from clients.cluster.kubectl import Kubectl
from clients.sandbox.registry import free_ports, serving

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl")
SERVICES = IPv4Network("10.96.0.0/16")
_NODES = ("node-a", "node-b")
_STAGES = Path(__file__).with_name("simulated_nodes.yaml")
_USERS = {
    "kubernetes-admin": "system:masters",
    "system:kube-controller-manager": "system:authenticated",
    "system:kube-scheduler": "system:authenticated",
    "system:kwok": "system:masters",
}


def lacking(assets: Path) -> tuple[str, ...]:
    """The programs that a cluster needs and this directory does not have."""
    return tuple(name for name in PROGRAMS if not os.access(assets / name, os.X_OK))


@contextmanager
def throwaway_cluster(assets: Path, root: Path, *, architecture: str) -> Iterator[Path]:
    """Start one with all its data below `root`; gives the administrator's kubeconfig when its nodes are ready."""
    root.mkdir(mode=0o700, parents=True)
    client, peer, port = free_ports(3)
    server = f"https://127.0.0.1:{port}"
    logins = _logins(root, server)
    admin = Kubectl(assets / "kubectl", kubeconfig=logins["kubernetes-admin"])
    with ExitStack() as stack:
        etcd = _etcd(assets, root, client, peer)
        stack.enter_context(serving(etcd, root / "etcd.log", ready=(root / "etcd" / "member").exists))
        ready = partial(_has, admin, "namespace", "default")
        stack.enter_context(serving(_apiserver(assets, root, client, port), root / "api.log", ready=ready))
        # Pods are refused until the controllers have made the account.
        made = partial(_has, admin, "serviceaccount", "default", "default")
        stack.enter_context(serving(_controllers(assets, root, logins), root / "controllers.log", ready=made))
        scheduler = [str(assets / "kube-scheduler"), f"--kubeconfig={logins['system:kube-scheduler']}"]
        scheduler += ["--leader-elect=false", "--secure-port=0"]
        stack.enter_context(serving(scheduler, root / "scheduler.log", ready=lambda: True))
        for name in _NODES:
            admin.create(_node(name, architecture))
        kwok = [str(assets / "kwok"), f"--kubeconfig={logins['system:kwok']}", f"--config={_STAGES}"]
        kwok += ["--manage-all-nodes", "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40"]
        stack.enter_context(serving(kwok, root / "kwok.log", ready=partial(_nodes_ready, admin)))
        yield logins["kubernetes-admin"]


def _logins(root: Path, server: str) -> dict[str, Path]:
    """A kubeconfig for each user, and the API server's list of their tokens."""
    tokens = {user: secrets.token_hex(16) for user in _USERS}
    lines = [f'{token},{user},{user},"{_USERS[user]}"\n' for user, token in tokens.items()]
    _private(root / "tokens.csv", "".join(lines))
    paths = {}
    for user, token in tokens.items():
        paths[user] = root / f"{user.replace(':', '-')}.kubeconfig"
        cluster = {"server": server, "certificate-authority": str(root / "pki" / "apiserver.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "rehearsal",
            "contexts": [{"name": "rehearsal", "context": {"cluster": "rehearsal", "user": "rehearsal"}}],
            "clusters": [{"name": "rehearsal", "cluster": cluster}],
            "users": [{"name": "rehearsal", "user": {"token": token}}],
        }
        _private(paths[user], json.dumps(config))
    return paths


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _etcd(assets: Path, root: Path, client: int, peer: int) -> list[str]:
    # The data need not survive a power cut.
    argv = [str(assets / "etcd"), "--data-dir", str(root / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"]
    argv += [f"--{name}-client-urls=http://127.0.0.1:{client}" for name in ("listen", "advertise")]
    argv += [f"--{name}-peer-urls=http://127.0.0.1:{peer}" for name in ("listen", "initial-advertise")]
    return [*argv, f"--initial-cluster=default=http://127.0.0.1:{peer}"]


def _apiserver(assets: Path, root: Path, etcd: int, port: int) -> list[str]:
    # It makes its certificate itself; that one's key signs the tokens of service accounts too.
    key = root / "pki" / "apiserver.key"
    options = {
        "etcd-servers": f"http://127.0.0.1:{etcd}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": port,
        "cert-dir": root / "pki",
        "token-auth-file": root / "tokens.csv",
        "authorization-mode": "Node,RBAC",
        "service-cluster-ip-range": SERVICES,
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "shutdown-watch-termination-grace-period": "1s",
        # 127.0.0.1 can't be an endpoint of the Service "kubernetes".
        "endpoint-reconciler-type": "none",
    }
    return [str(assets / "kube-apiserver"), *(f"--{name}={value}" for name, value in options.items())]


def _controllers(assets: Path, root: Path, logins: dict[str, Path]) -> list[str]:
    return [
        str(assets / "kube-controller-manager"),
        f"--kubeconfig={logins['system:kube-controller-manager']}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={root / 'pki' / 'apiserver.key'}",
        f"--root-ca-file={root / 'pki' / 'apiserver.crt'}",
        "--secure-port=0",
    ]


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
