"""A real Kubernetes on loopback: etcd, API server, controllers and scheduler, with nodes simulated by kwok.

The programs are found in the directory named by KUBEBUILDER_ASSETS; `tools/build` makes and prints it. What becomes
of a pod is told by kwok/stages.yaml: `airgap.test/fate` or the image's tag selects a failure.
"""

import contextlib
import itertools
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import trustme
import urllib3

from tests.integration.parts import CommandError, PartError, running

NODES = ("node-a", "node-b")
LOG_LINE = "cannot reach mysql.internal.example.com:3306"
_STAGES = Path(__file__).parent / "kwok" / "stages.yaml"
_NUMBERS = itertools.count(1)


def asset(name: str) -> str:
    """The path of a program that tools/build makes; a PartError when it isn't there."""
    place = os.environ.get("KUBEBUILDER_ASSETS")
    if not place:
        raise PartError(f"{name} is not here: KUBEBUILDER_ASSETS is not set (tools/build prints what it has to be)")
    path = Path(place) / name
    if not path.is_file():
        raise PartError(f"{name} is not in KUBEBUILDER_ASSETS ({place}); tools/build makes it")
    return str(path)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listened on just now."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The cluster's CA and whom it vouches for, as PEM files of one directory: NAME.crt and NAME.key."""

    place: Path
    authority: trustme.CA = field(default_factory=trustme.CA, repr=False)

    @classmethod
    def make(cls, place: Path) -> Self:
        """A new CA in the new directory `place`."""
        place.mkdir(mode=0o700)
        made = cls(place=place)
        made.authority.cert_pem.write_to_path(made.ca)
        return made

    @property
    def ca(self) -> Path:
        """The CA's certificate."""
        return self.place / "ca.crt"

    def issue(self, name: str, *, user: str = "", group: str = "airgap test") -> tuple[Path, Path]:
        """A certificate for loopback and its key; as a client of the API server it is `user` of `group`."""
        issued = self.authority.issue_cert(
            "127.0.0.1", "localhost", "kubernetes.default.svc", common_name=user or name, organization_name=group
        )
        certificate, key = self.place / f"{name}.crt", self.place / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key


def write_kubeconfig(path: Path, server: str, identities: Identities, *, user: str, group: str) -> Path:
    """Write how to reach `server` as `user` of `group`, by client certificate; return `path`."""
    certificate, key = identities.issue(path.stem, user=user, group=group)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(identities.ca)}}],
        "users": [{"name": "test", "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))  # JSON is YAML
    return path


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A Kubernetes that runs, shared by the session: use namespaces of your own (`new_namespace`)."""

    server: str
    root: Path
    identities: Identities
    kubeconfig: Path
    http: urllib3.PoolManager = field(repr=False)
    apiserver_argv: list[str] = field(repr=False)
    _apiserver: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def env(self) -> Mapping[str, str]:
        """This process's environment with KUBECONFIG set."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *args: str, stdin: str = "") -> str:
        """Run kubectl as the administrator and return its output; a CommandError carries what it said on failure."""
        argv = [asset("kubectl"), "--kubeconfig", str(self.kubeconfig), *args]
        return run(argv, stdin=stdin, env=self.env)

    def get(self, *args: str) -> dict[str, object]:
        """`kubectl get ... -o json`."""
        found = json.loads(self.kubectl("get", *args, "--output", "json"))
        assert isinstance(found, dict)
        return found

    def new_namespace(self, stem: str = "test") -> str:
        """A name that nobody has used in this cluster; the namespace is not created."""
        return f"{stem}-{next(_NUMBERS)}"

    def login(self, user: str, group: str = "airgap test") -> Path:
        """A kubeconfig of somebody with no rights at all, until a test grants some."""
        path = self.root / f"login-{next(_NUMBERS)}.kubeconfig"
        return write_kubeconfig(path, self.server, self.identities, user=user, group=group)

    def start_apiserver(self) -> None:
        """Start the API server and wait until it is ready; what etcd holds is still there."""
        log = self.root / "kube-apiserver.log"
        self._apiserver.enter_context(running(self.apiserver_argv, log, ready=self._ready))

    def stop_apiserver(self) -> None:
        """Stop the API server; everything else goes on and tries again."""
        self._apiserver.close()

    def _ready(self) -> bool:
        return answers(self.http, f"{self.server}/readyz")


def run(argv: list[str], *, stdin: str = "", env: Mapping[str, str]) -> str:
    """Run a program and return its output; a CommandError carries what it said on failure."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise CommandError(done.returncode, argv, done.stdout, done.stderr)
    return done.stdout


def answers(http: urllib3.PoolManager, url: str) -> bool:
    """Whether a GET is answered with 200."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return http.request("GET", url, retries=False, timeout=5.0).status == 200
    return False


@contextmanager
def kubernetes(root: Path) -> Iterator[Cluster]:
    """Start a cluster with all its data below `root` and wait until its nodes are ready."""
    etcd, peer, api = free_ports(3)
    root.mkdir(parents=True, exist_ok=True)
    identities = Identities.make(root / "pki")
    server = f"https://127.0.0.1:{api}"
    admin = write_kubeconfig(
        root / "admin.kubeconfig", server, identities, user="kubernetes-admin", group="system:masters"
    )
    for name in ("kube-controller-manager", "kube-scheduler", "kwok", "kubectl"):
        asset(name)  # before anything starts
    with ExitStack() as stack:
        http = stack.enter_context(urllib3.PoolManager(ca_certs=str(identities.ca)))
        ready = partial(answers, http, f"http://127.0.0.1:{etcd}/health")
        stack.enter_context(running(_etcd(root, etcd, peer), root / "etcd.log", ready=ready))
        cluster = Cluster(
            server=server,
            root=root,
            identities=identities,
            kubeconfig=admin,
            http=http,
            apiserver_argv=_apiserver(identities, etcd, api),
        )
        stack.callback(cluster.stop_apiserver)
        cluster.start_apiserver()
        for name, argv, health in _clients(cluster):
            ready = partial(answers, http, health)
            stack.enter_context(running(argv, root / f"{name}.log", ready=ready))
        cluster.kubectl("create", "--filename", "-", stdin=json.dumps(_nodes()))
        cluster.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
        # Pods are refused until the controllers have made this.
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
        yield cluster


def _etcd(root: Path, client: int, peer: int) -> list[str]:
    # A test's data need not survive a power cut.
    argv = [asset("etcd"), "--data-dir", str(root / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"]
    for role, port in (("client", client), ("peer", peer)):
        url = f"http://127.0.0.1:{port}"
        advertise = "advertise-client" if role == "client" else "initial-advertise-peer"
        argv += [f"--listen-{role}-urls={url}", f"--{advertise}-urls={url}"]
    return [*argv, f"--initial-cluster=default=http://127.0.0.1:{peer}"]


def _apiserver(identities: Identities, etcd: int, port: int) -> list[str]:
    certificate, key = identities.issue("kube-apiserver")
    _, signing_key = identities.issue("service-accounts")
    options = {
        "etcd-servers": f"http://127.0.0.1:{etcd}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": port,
        "tls-cert-file": certificate,
        "tls-private-key-file": key,
        "client-ca-file": identities.ca,
        "authorization-mode": "Node,RBAC",
        "service-cluster-ip-range": "10.96.0.0/16",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": signing_key,
        "service-account-signing-key-file": signing_key,
        "kubelet-preferred-address-types": "InternalIP",
        # 0, the default, makes a stop wait until nobody watches.
        "shutdown-watch-termination-grace-period": "1s",
        # 127.0.0.1 can't be an endpoint of the Service "kubernetes".
        "endpoint-reconciler-type": "none",
    }
    return [asset("kube-apiserver"), *(f"--{name}={value}" for name, value in options.items())]


def _clients(cluster: Cluster) -> Iterator[tuple[str, list[str], str]]:
    """The programs that talk to the API server and try again while it is away: name, command, and where it is well."""
    pki = cluster.identities.place
    serving = [f"--tls-cert-file={pki}/kube-apiserver.crt", f"--tls-private-key-file={pki}/kube-apiserver.key"]
    own = {
        "kube-controller-manager": [
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--root-ca-file={cluster.identities.ca}",
        ],
        "kube-scheduler": ["--leader-elect=false"],
        "kwok": [
            f"--config={_STAGES}",
            f"--config={_pod_logs(cluster.root)}",
            "--manage-all-nodes",
            "--node-ip=127.0.0.1",
            "--node-lease-duration-seconds=40",
        ],
    }
    for (name, options), port in zip(own.items(), free_ports(len(own)), strict=True):
        group = "system:masters" if name == "kwok" else "system:authenticated"
        login = cluster.root / f"{name}.kubeconfig"
        write_kubeconfig(login, cluster.server, cluster.identities, user=f"system:{name}", group=group)
        if name == "kwok":
            address = [f"--server-address=127.0.0.1:{port}", f"--node-port={port}"]
        else:
            address = ["--bind-address=127.0.0.1", f"--secure-port={port}"]
        argv = [asset(name), f"--kubeconfig={login}", *options, *serving, *address]
        yield name, argv, f"https://127.0.0.1:{port}/healthz"


def _pod_logs(root: Path) -> Path:
    """What `kubectl logs` shows of every container: one line."""
    log = root / "container.log"
    log.write_text(f"2026-01-01T00:00:00.000000000Z stdout F {LOG_LINE}\n")
    files = {"logsFile": str(log), "previousLogsFile": str(log)}
    config = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "all"},
        "spec": {"logs": [files]},
    }
    path = root / "logs.yaml"
    path.write_text(json.dumps(config))
    return path


def _nodes() -> dict[str, object]:
    size = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    system = {"architecture": "amd64", "operatingSystem": "linux"}
    blank = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeletVersion", "machineID", "osImage")
    info = {**dict.fromkeys((*blank, "kubeProxyVersion", "systemUUID"), "simulated"), **system}
    items = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/os": "linux",
                },
            },
            "status": {"capacity": size, "allocatable": size, "nodeInfo": info},
        }
        for name in NODES
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}
