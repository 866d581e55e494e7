import sys

import pytest

from bundle.formats.visible import one_line, visible
from tests.fixtures.made.hostile import HOSTILE

EVERY_SIGN = "".join(map(chr, range(sys.maxunicode + 1)))


def test_nothing_of_all_signs_moves_hides_or_turns() -> None:
    assert visible(EVERY_SIGN).replace("\n", "").isprintable()
    assert one_line(EVERY_SIGN).isprintable()
    assert one_line(EVERY_SIGN).encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(text: str) -> None:
    assert visible(text).isprintable()


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 世界", "a 'b' \\n"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == one_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\n", "a\\r\\n"),
        ("\x1b[2K", "\\u001b[2K"),
        ("\u202egpj", "\\u202egpj"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u2028b\x85c", "a\\u2028b\\u0085c"),
    ],
)
def test_how_it_is_written(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_lines_stay_lines() -> None:
    assert visible("a\n\tb") == "a\n\\tb"
