import pytest

from bundle.formats.numbers import number


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), ("999999999999999999", 10**18 - 1)])
def test_a_number(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1\n", "1_0", "²", "٣", "1" * 19, "9" * 10_000_000, "1e3", "0x1"]
)
def test_what_is_none(text: str) -> None:
    assert number(text) is None
