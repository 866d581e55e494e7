from typing import Any

import pytest

from bundle.errors import FormatError
from clients.charts.documents import TEXTS, documents


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a: 1\n---\nb: 1.10\n", [{"a": 1}, {"b": 1.1}]),
        ("a: &x [1]\nb: *x\n", [{"a": [1], "b": [1]}]),
        ("a: &x {k: 1}\nb: {<<: *x, l: 2}\n", [{"a": {"k": 1}, "b": {"k": 1, "l": 2}}]),
    ],
)
def test_documents(text: str, found: list[Any]) -> None:
    assert documents(text) == found


def test_texts_stay_as_they_are() -> None:
    assert documents("a: 1.10\nb: on\n", loader=TEXTS) == [{"a": "1.10", "b": "on"}]


def test_an_anchor_ends_with_its_document() -> None:
    with pytest.raises(FormatError, match="stands for nothing before it"):
        documents("a: &x 1\n---\nb: *x\n")
