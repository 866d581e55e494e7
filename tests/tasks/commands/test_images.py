"""`doit images`: which images charts use."""

from pathlib import Path

from tests.fixtures.benches.proving import proven


def test_doit_images_needs_a_helm(tmp_path: Path) -> None:
    ran = proven(tmp_path, "").bench.doit("images")
    assert ran.code == 1
    assert "FAILED images: helm is not on PATH, and the bundle carries none\n  next: install helm" in ran.err
