"""The cgroups of a node, in a directory that stands for /sys/fs/cgroup."""

import os
from pathlib import Path

import pytest

from clients.sandbox import _node_cgroups
from clients.sandbox._node_cgroups import NodeCgroups, missing_for_cgroups, sweep

V1 = ("cpu,cpuacct", "memory", "pids")


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hierarchies of cgroup v1, one with a second name."""
    for name in V1:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    monkeypatch.setattr(_node_cgroups, "_ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one hierarchy of cgroup v2."""
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("\n")
    monkeypatch.setattr(_node_cgroups, "_ROOT", tmp_path)
    return tmp_path


def test_one_in_each_hierarchy_gone_with_those_in_it(v1: Path) -> None:
    made = NodeCgroups.make()
    places = [v1 / name / made.name for name in V1]
    assert all(place.is_dir() for place in places)
    (places[0] / "kubepods/pod1").mkdir(parents=True)
    made.remove()
    assert not any(place.exists() for place in places)
    assert NodeCgroups.make().name != made.name


def test_only_those_of_who_has_ended_are_swept(v1: Path) -> None:
    ours = NodeCgroups.make()
    begun = ours.name.split("-")[3]
    ended = v1 / "memory" / f"airgap-node-{os.getpid()}-{int(begun) + 1}-1"  # the number has come again
    gone = v1 / "pids/airgap-node-999999999-1-1"
    foreign = v1 / "memory/airgap-node-of-somebody"
    for place in (ended, gone, foreign):
        (place / "kubepods").mkdir(parents=True)
    sweep()
    assert not ended.exists()
    assert not gone.exists()
    assert foreign.exists()
    assert (v1 / "memory" / ours.name).exists()


@pytest.mark.parametrize("which", ["v1", "v2"])
def test_nothing_is_missing(which: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(which)
    before = sorted(root.rglob("*"))
    assert missing_for_cgroups() == ""
    assert sorted(root.rglob("*")) == before


def test_a_controller_that_is_not_there(v1: Path) -> None:
    (v1 / "pids/cgroup.procs").unlink()
    assert missing_for_cgroups() == f"the cgroups of {v1} have no controller pids to give away"


def test_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_node_cgroups, "_ROOT", tmp_path)
    assert missing_for_cgroups() == f"no cgroup can be made in {tmp_path}"
