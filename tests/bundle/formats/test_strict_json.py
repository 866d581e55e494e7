"""JSON that readers could read in two ways is refused, and ours is always written in one way."""

import pytest

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.formats.strict_json import canonical, decode, readable


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


VALUE = {"b": [1, True, None], "a": {"z": "é", "y": 1.5}}


def test_the_same_value_has_the_same_bytes() -> None:
    assert canonical(VALUE) == '{"a":{"y":1.5,"z":"é"},"b":[1,true,null]}'.encode()
    assert canonical(VALUE, escaped=True) == b'{"a":{"y":1.5,"z":"\\u00e9"},"b":[1,true,null]}'
    assert canonical(dict(reversed(VALUE.items()))) == canonical(VALUE)


def test_what_people_read_too() -> None:
    assert readable({"b": ["é"], "a": 1}) == '{\n  "a": 1,\n  "b": [\n    "é"\n  ]\n}\n'.encode()
    assert readable({"a": "é"}, indent=1, escaped=True) == b'{\n "a": "\\u00e9"\n}\n'


def test_values_one_after_another() -> None:
    assert list(strict_json.stream(' {"a": 1}\n[2]\t3 ')) == [{"a": 1}, [2], 3]
    assert list(strict_json.stream(" \n")) == []
    assert len(list(strict_json.stream("{} " * 100_000))) == 100_000


@pytest.mark.parametrize("text", ["{", "1 x", "[" * 100_000])
def test_what_is_no_stream_of_values(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, it is not repeated
        list(strict_json.stream(text))
