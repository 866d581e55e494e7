import pytest

from bundle.formats.numbers import count, number, order_of


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), ("999999999999999999", 10**18 - 1)])
def test_a_number(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1\n", "1_0", "²", "٣", "1" * 19, "9" * 10_000_000, "1e3", "0x1"]
)
def test_what_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3), ("3", 3), (0, 0), (-1, 0), (True, 0), (1.5, 0), (float("nan"), 0), (10**18, 0), ("9" * 5000, 0),
     ("\u0663", 0), ("1_0", 0), (" 1", 0), (None, 0), ([1], 0), ({}, 0)],
)  # fmt: skip
def test_counts(value: object, found: int) -> None:
    assert count(value) == found


def test_runs_of_digits_have_an_order_however_long_they_are() -> None:
    runs = ["", "1", "002", "10", "9" * 5000, "1" + "0" * 5000]
    mixed = [runs[place] for place in (3, 0, 5, 1, 4, 2)]
    assert sorted(mixed, key=order_of) == runs
    assert order_of("007") == order_of("7")
