"""A Kubernetes of one machine's own."""

from pathlib import Path

from clients.sandbox.cluster import PROGRAMS, lacking


def test_what_a_cluster_lacks(tmp_path: Path) -> None:
    assert lacking(tmp_path) == PROGRAMS
    for name in PROGRAMS:
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "kwok").chmod(0o644)
    assert lacking(tmp_path) == ("kwok",)
