"""Why there can't be a node whose pods run: the first reason that is found, in a few words."""

import os
from pathlib import Path

import pytest

from clients.sandbox import _node_parts
from clients.sandbox._node_parts import PROGRAMS, missing_for_node

OWN = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """All programs of a node."""
    (tmp_path / "node").mkdir()
    for name in PROGRAMS:
        (tmp_path / "node" / name).touch(mode=0o755)
    return tmp_path


@pytest.fixture(autouse=True)
def _everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is missing."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(_node_parts.shutil, "which", lambda name, path: f"/usr/sbin/{name}")
    monkeypatch.setattr(_node_parts, "plugins", lambda: Path("/usr/lib/cni"))
    monkeypatch.setattr(_node_parts, "has_only_loopback", lambda: True)
    monkeypatch.setattr(_node_parts, "missing_for_cgroups", lambda: "")


def test_nothing_is_missing(assets: Path) -> None:
    assert missing_for_node(assets, OWN) == ""


def test_programs_that_are_not_built(assets: Path) -> None:
    (assets / "node/kubelet").unlink()
    assert missing_for_node(assets, OWN) == f"{assets}/node is missing kubelet; tools/build makes them"


def test_another_architecture(assets: Path) -> None:
    assert missing_for_node(assets, "s390x") == f"the images are for s390x, this machine is {OWN}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("plugins", None, "the CNI plugins host-local, loopback, portmap, ptp are not in /usr/lib/cni or /opt/cni/bin"),
        ("has_only_loopback", False, "the network here is not one of the node's own"),
        ("missing_for_cgroups", "no cgroup can be made in /sys/fs/cgroup", "no cgroup can be made in /sys/fs/cgroup"),
    ],
)
def test_what_the_machine_does_not_give(
    assets: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, said: str
) -> None:
    monkeypatch.setattr(_node_parts, name, lambda: value)
    assert missing_for_node(assets, OWN) == said


def test_nobody_but_root(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert missing_for_node(assets, OWN) == "only root can run containers here"


def test_programs_of_the_system(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_node_parts.shutil, "which", lambda name, path: None if name in ("runc", "nft") else name)
    assert missing_for_node(assets, OWN) == "runc, nft is not installed"
