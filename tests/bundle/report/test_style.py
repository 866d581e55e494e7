"""The colours' contrast, by the formula of WCAG 2.2 (relative luminance, 1.4.3 and 1.4.11)."""

import pytest

from bundle.report._style import DARK, LIGHT, style_sheet

TEXTS = ("text", "quiet", "link", "good", "open", "bad")


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colours: dict[str, str]) -> None:
    for ground in ("ground", "panel"):
        assert {
            name: contrast(colours[name], colours[ground])
            for name in TEXTS
            if contrast(colours[name], colours[ground]) < 4.5
        } == {}
    assert contrast(colours["on-own"], colours["own"]) >= 4.5
    assert contrast(colours["on-shared"], colours["shared"]) >= 4.5
    for box in ("own", "shared"):
        assert contrast(colours[box], colours["ground"]) >= 3


def test_the_sheet_has_every_colour_it_uses_and_loads_nothing() -> None:
    sheet = style_sheet()
    for colours in (LIGHT, DARK):
        assert {name for name in colours if f"var(--{name})" not in sheet} == set()
    assert "url(" not in sheet
    assert "@import" not in sheet
    assert "<" not in sheet
