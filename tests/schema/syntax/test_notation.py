"""Sizes and durations."""

import pytest

from bundle.errors import FormatError
from schema.syntax.notation import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("700MB", 700_000_000),
        ("1kB", 1000),
        ("1KB", 1000),
        ("64KiB", 65_536),
        ("4GiB", 4 * 2**30),
        ("4.7GB", 4_700_000_000),
        ("0.5TiB", 2**39),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "4G", "4gib", "GiB", "-1GB", "0GB", "0.1B", "4 GiB", "1e3MB"])
def test_refused_sizes(text: str) -> None:
    with pytest.raises(FormatError):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400), ("1h0m5s", 3605)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "0s", "0h0m", "15 m", "1m1h", "-1s", "1.5h"])
def test_refused_durations(text: str) -> None:
    with pytest.raises(FormatError):
        parse_duration(text)
