"""Other programs' YAML."""

import pytest

from bundle.errors import FormatError
from schema.drafts.documents import documents, entries, text_of


def test_mappings_of_all_documents() -> None:
    assert documents("a: 1\n---\n- x\n---\nb: [1]\n", "x.yaml") == [{"a": 1}, {"b": [1]}]


@pytest.mark.parametrize("text", ["a: [", "a: !!python/object:os.system x", "\x00", "a: &a [*a, *b]"])
def test_what_is_not_yaml_is_told_in_one_line(text: str) -> None:
    with pytest.raises(FormatError, match=r"^x\.yaml is not YAML: [^\n]+\n  next: ") as caught:
        documents(text, "x.yaml")
    assert "\n" not in caught.value.what


def test_entries() -> None:
    assert list(entries({"a": {"b": [{"x": 1}, "y", None]}}, "a", "b")) == [{"x": 1}]
    assert list(entries({"a": 1}, "a", "b")) == list(entries(None, "a")) == []


def test_text_of() -> None:
    data = {"a": 1.5, "b": None, "c": {}, "d": " x "}
    assert [text_of(data, key) for key in "abcde"] == ["1.5", "", "", "x", ""]
    assert text_of("no mapping", "a") == ""
