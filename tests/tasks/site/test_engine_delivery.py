"""What an Engine made of a bundle's images, as it is noted."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from tasks.site.engine_delivery import EngineNotes, subject_of

NAME = Reference.parse("registry.example.com/team/app:1")
CONTENT, MADE = Digest.of(b"content"), Digest.of(b"made")


def test_it_comes_back(tmp_path: Path) -> None:
    EngineNotes(tmp_path / "notes.json").set("pushed", NAME, CONTENT, MADE)
    notes = EngineNotes(tmp_path / "notes.json")
    assert notes.made("pushed", NAME, CONTENT) == MADE
    assert notes.made("loaded", NAME, CONTENT) is None
    assert notes.made("pushed", NAME, MADE) is None, "of another content"


def test_the_last_one_counts(tmp_path: Path) -> None:
    notes = EngineNotes(tmp_path / "notes.json")
    notes.set("pushed", NAME, MADE, CONTENT)
    notes.set("pushed", NAME, CONTENT, MADE)
    assert notes.made("pushed", NAME, CONTENT) == MADE
    assert notes.made("pushed", NAME, MADE) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "pushed": {}}'])
def test_what_can_not_be_understood_is_no_note(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.json").write_text(text)
    notes = EngineNotes(tmp_path / "notes.json")
    assert notes.made("pushed", NAME, CONTENT) is None
    notes.set("pushed", NAME, CONTENT, MADE)
    assert notes.made("pushed", NAME, CONTENT) == MADE


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("a", "image 'a'"),
        ("ab", "images 'a', 'b'"),
        ("abcd", "images 'a', 'b', 'c', 'd'"),
        ("abcdefg", "images 'a', 'b', 'c', 'd' and 3 others"),
    ],
)
def test_several_images_have_a_name_together(names: str, told: str) -> None:
    assert subject_of([SimpleNamespace(name=name) for name in names]) == told
