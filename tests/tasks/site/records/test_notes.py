"""Small files that are read if they are there and good."""

from bundle.formats.fields import Fields
from tasks.site.receiver import Receiver
from tasks.site.records.notes import read_note, write_note
from tests.fixtures.places import others_can


def word(fields: Fields) -> str:
    return fields.text("word")


def test_what_was_noted_last_is_read(receiver: Receiver) -> None:
    assert read_note(receiver, "x.json", word) is None
    for text in ("one", "two"):
        write_note(receiver, "x.json", {"word": text}, what="a word")
        assert read_note(receiver, "x.json", word) == text
    assert others_can(receiver.state) == []


def test_what_is_something_else_is_none(receiver: Receiver) -> None:
    write_note(receiver, "x.json", {"word": 1}, what="a word")
    assert read_note(receiver, "x.json", word) is None
