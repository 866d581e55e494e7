"""Lists of images as products publish them."""

from pathlib import Path

import pytest

from schema.drafts.image_list import read_image_list
from schema.loading.load import load
from tests.fixtures.places import ROOT

LISTS = ROOT / "tests" / "fixtures" / "drafts" / "lists"
COUNTS = {"rancher": (6, 0), "k3s-windows": (3, 0), "kubeadm": (5, 0), "longhorn": (4, 0), "notes": (4, 2)}


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_list_becomes_a_spec(path: Path, tmp_path: Path) -> None:
    draft = read_image_list(path.read_bytes().decode(), path.stem)
    assert (len(draft.images), len(draft.left_out)) == COUNTS[path.stem]
    (tmp_path / "airgap.yaml").write_text(draft.text("x.json"))
    spec = load(tmp_path / "airgap.yaml", env={})
    assert len({str(image.target) for image in spec.images}) == len(draft.images)


def test_there_are_five() -> None:
    assert sorted(COUNTS) == sorted(path.stem for path in LISTS.iterdir())


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("redis:7 # cache", "docker.io/library/redis:7"),
        ("- image: 'redis:7'", "docker.io/library/redis:7"),
        ("docker pull redis:7", "docker.io/library/redis:7"),
        ("docker://redis:7", "docker.io/library/redis:7"),
        ("\ufeffredis:7", "docker.io/library/redis:7"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
    ],
)
def test_lines(line: str, source: str) -> None:
    assert [image.source for image in read_image_list(line, "x").images] == [source]


def test_a_line_with_several() -> None:
    assert len(read_image_list("redis:7, nginx:1.25", "x").images) == 2
