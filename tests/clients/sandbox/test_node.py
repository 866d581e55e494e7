"""The settings of a node's programs; that they work together is shown by tests/integration/cluster/test_node.py."""

import json
import tomllib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from clients.sandbox._control_plane import ControlPlane
from clients.sandbox._node import ADDRESS, PODS, USERS, _Files
from clients.sandbox._node_cgroups import NodeCgroups
from clients.sandbox._node_machine import HOME


@pytest.fixture
def files(tmp_path: Path) -> _Files:
    plane = ControlPlane(
        assets=tmp_path, root=tmp_path, address=ADDRESS, port=1, etcd_ports=(2, 3),
        services=IPv4Network("10.96.0.0/16"), users=USERS,
    )  # fmt: skip
    (tmp_path / "node").mkdir()
    return _Files(root=tmp_path / "node", plane=plane)


def test_everything_is_named_as_the_node_sees_it(files: _Files) -> None:
    path = files.containerd()
    assert path == HOME / "containerd.toml"
    settings = tomllib.loads((files.root / path.name).read_text())
    assert settings["grpc"]["address"] == str(files.socket)
    runtime = settings["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"]["conf_dir"] == str(HOME / "cni")
    images = settings["plugins"]["io.containerd.cri.v1.images"]
    assert images["registry"]["config_path"] == str(HOME / "certs.d")
    assert len(str(files.socket)) < 60


def test_nobody_is_reached_but_by_the_nodes_own_addresses(files: _Files) -> None:
    assert IPv4Address(ADDRESS) not in PODS
    files.containerd()
    network = json.loads((files.root / "cni/10-pods.conflist").read_text())
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": str(PODS)}]]
    kubelet = json.loads((files.root / files.kubelet(NodeCgroups(name="airgap-node-1")).name).read_text())
    assert (kubelet["address"], kubelet["clusterDNS"]) == (ADDRESS, [ADDRESS])
    assert kubelet["cgroupRoot"] == "/airgap-node-1"
    proxy = json.loads((files.root / files.proxy().name).read_text())
    assert (proxy["mode"], proxy["clusterCIDR"]) == ("nftables", str(PODS))
    dns = (files.root / files.dns().name).read_text()
    assert f"bind {ADDRESS}" in dns
    assert "forward" not in dns
    assert "rcode NXDOMAIN" in dns
