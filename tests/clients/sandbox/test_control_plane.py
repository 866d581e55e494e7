"""How the programs of a throwaway control plane are started, and who may log in."""

import json
import stat
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from clients.sandbox._control_plane import ADMIN, USERS, ControlPlane


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    return ControlPlane(
        assets=tmp_path / "assets",
        root=tmp_path,
        address="198.18.0.1",
        port=6443,
        etcd_ports=(2379, 2380),
        services=IPv4Network("10.96.0.0/16"),
        users={**USERS, "system:node:node": "system:nodes"},
    )


def test_each_user_has_a_token_of_its_own_that_nobody_else_can_read(plane: ControlPlane) -> None:
    plane.write_logins()
    rows = [line.split(",") for line in (plane.root / "tokens.csv").read_text().splitlines()]
    assert {(user, group) for _, user, _, group in rows} == {
        (user, f'"{group}"') for user, group in (*USERS.items(), ("system:node:node", "system:nodes"))
    }
    assert len({token for token, *_ in rows}) == len(rows)
    for path in (plane.root / "tokens.csv", *map(plane.login, plane.users)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = json.loads(plane.login(ADMIN).read_text())
    assert config["users"][0]["user"]["token"] == next(token for token, user, *_ in rows if user == ADMIN)
    assert config["clusters"][0]["cluster"]["server"] == "https://198.18.0.1:6443"


def test_nothing_listens_elsewhere_than_asked(plane: ControlPlane) -> None:
    etcd = plane.etcd()
    urls = [word.partition("urls=")[2] for word in etcd if "urls=" in word]
    assert urls
    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    server = plane.apiserver(allow_privileged="true")
    assert {"--bind-address=198.18.0.1", "--secure-port=6443", "--allow-privileged=true"} <= set(server)
    assert "--etcd-servers=http://127.0.0.1:2379" in server
    assert "--secure-port=0" in plane.controllers()
    assert "--secure-port=0" in plane.scheduler()
