"""YAML files of which no place is told."""

import pytest

from bundle.errors import FormatError
from schema.syntax.plain import TEXTS, composed, plain_documents


def test_documents() -> None:
    assert plain_documents("a: 1\n---\n- x\n") == [{"a": 1}, ["x"]]
    assert plain_documents(b"a: 1", loader=TEXTS) == [{"a": "1"}]
    assert plain_documents("") == []


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "[" * 100_000,
        "a: &a [*a]",
        "a: 2024-13-99",
        f"a: {'9' * 5000}",
        "a: !!python/object/apply:os.system [ls]",
        b"\xff\xfe\x00",
        "a: \x00",
        "? [a]\n: 1",
        "? {a: 1}\n: 1",
        "a: !!binary ZZ=Z",
        "<<: x",
        "a: !!timestamp x",
        "a: !!float x",
        "a: !!bool x",
        "%YAML 9.9\n---\na",
    ],
)
def test_what_is_none(text: str | bytes) -> None:
    with pytest.raises(FormatError, match=r"^no YAML: [^\n]+$"):
        plain_documents(text)


def test_nodes_with_their_marks() -> None:
    root = composed("a: ü\nb: 2\n")
    assert root is not None
    assert root.value[1][0].start_mark.index == 5
    with pytest.raises(FormatError, match="nested too deeply"):
        composed("[" * 1000)
