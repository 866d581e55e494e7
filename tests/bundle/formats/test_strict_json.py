"""JSON that readers could read in two ways is refused."""

import pytest

from bundle.errors import FormatError
from bundle.formats.strict_json import decode


def test_what_it_reads() -> None:
    assert decode(b'{"a": [1, {"b": null}], "c": {"a": 2}}', "x") == {"a": [1, {"b": None}], "c": {"a": 2}}


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"{", "x is not JSON"),
        (b"\xff", "x is not JSON"),
        (b'{"a": 1, "a": 1}', "x is not JSON: a key that is given twice"),
        (b'[{"b": {"a": 1, "c": 2, "a": 1}}]', "given twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_it_refuses(raw: bytes, what: str) -> None:
    with pytest.raises(FormatError, match=what):
        decode(raw, "x")
