"""The control plane of a throwaway Kubernetes: how each of its programs is started, with all its files in one place."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

ADMIN = "kubernetes-admin"
USERS = {
    ADMIN: "system:masters",
    "system:kube-controller-manager": "system:authenticated",
    "system:kube-scheduler": "system:authenticated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """`assets` has the programs, `users` are those who log in by a token, with their groups.

    The API server listens on `port` of `address`, etcd on two ports of loopback.
    """

    assets: Path
    root: Path
    address: str
    port: int
    etcd_ports: tuple[int, int]
    services: IPv4Network
    users: Mapping[str, str]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.address}:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate that vouches for the API server; it makes that itself when it starts."""
        return self.root / "pki" / "apiserver.crt"

    def login(self, user: str) -> Path:
        """The kubeconfig of one of the users."""
        return self.root / f"{user.replace(':', '-')}.kubeconfig"

    def write_logins(self) -> None:
        """Write a kubeconfig for each user, and the API server's list of their tokens."""
        tokens = {user: secrets.token_hex(16) for user in self.users}
        lines = [f'{token},{user},{user},"{self.users[user]}"\n' for user, token in tokens.items()]
        write_private(self.root / "tokens.csv", "".join(lines))
        cluster = {"server": self.server, "certificate-authority": str(self.authority)}
        for user, token in tokens.items():
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "rehearsal",
                "contexts": [{"name": "rehearsal", "context": {"cluster": "rehearsal", "user": "rehearsal"}}],
                "clusters": [{"name": "rehearsal", "cluster": cluster}],
                "users": [{"name": "rehearsal", "user": {"token": token}}],
            }
            write_private(self.login(user), json.dumps(config))

    def etcd(self) -> list[str]:
        """etcd's command. The data need not survive a power cut."""
        client, peer = self.etcd_ports
        argv = [str(self.assets / "etcd"), "--data-dir", str(self.root / "etcd"), "--unsafe-no-fsync"]
        argv += ["--log-level", "warn"]
        argv += [f"--{name}-client-urls=http://127.0.0.1:{client}" for name in ("listen", "advertise")]
        argv += [f"--{name}-peer-urls=http://127.0.0.1:{peer}" for name in ("listen", "initial-advertise")]
        return [*argv, f"--initial-cluster=default=http://127.0.0.1:{peer}"]

    def apiserver(self, **more: object) -> list[str]:
        """The API server's command with `more` options. The key of its certificate signs tokens of accounts too."""
        key = self.root / "pki" / "apiserver.key"
        options = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd_ports[0]}",
            "bind-address": self.address,
            "advertise-address": self.address,
            "secure-port": self.port,
            "cert-dir": self.root / "pki",
            "token-auth-file": self.root / "tokens.csv",
            "authorization-mode": "Node,RBAC",
            "service-cluster-ip-range": self.services,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "shutdown-watch-termination-grace-period": "1s",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return [str(self.assets / "kube-apiserver"), *(f"--{name}={value}" for name, value in options.items())]

    def controllers(self) -> list[str]:
        """The controller manager's command."""
        return [
            str(self.assets / "kube-controller-manager"),
            f"--kubeconfig={self.login('system:kube-controller-manager')}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self.root / 'pki' / 'apiserver.key'}",
            f"--root-ca-file={self.authority}",
            "--secure-port=0",
        ]

    def scheduler(self) -> list[str]:
        """The scheduler's command."""
        login = self.login("system:kube-scheduler")
        return [str(self.assets / "kube-scheduler"), f"--kubeconfig={login}", "--leader-elect=false", "--secure-port=0"]


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read."""
    path.touch(mode=0o600)
    path.write_text(text)
