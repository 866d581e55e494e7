"""The report in a real browser: light and dark, on a telephone, on paper, and with fifty images."""

import re
from pathlib import Path

import pytest

from bundle.report._style import DARK, LIGHT
from bundle.report.page import report_page
from tests.fixtures.made.made_report import report_of
from tests.fixtures.pages import Page
from tests.fixtures.parts.browsers import Browser

COUNTS = [pytest.param(1, id="1 image"), pytest.param(6, id="6 images"), pytest.param(50, id="50 images")]
# Whatever reaches beyond the page's right edge and can't be scrolled to on its own.
WIDE = """(page) => [...page.querySelectorAll("body *")]
  .filter((each) => !each.closest(".wide > *, .skip, svg"))
  .filter((each) => each.getBoundingClientRect().right > page.body.clientWidth + 1)
  .map((each) => each.outerHTML.slice(0, 80))
  .concat(page.documentElement.scrollWidth > page.documentElement.clientWidth ? ["the page scrolls sideways"] : [])"""
# Labels of the picture that reach out of their boxes.
LABELS = """(page) => [...page.querySelectorAll("figure svg svg")].flatMap((drawing) => {
  const box = drawing.querySelector("rect").getBBox();
  return [...drawing.querySelectorAll("text")].filter((text) => {
    const own = text.getBBox();
    return own.x < box.x || own.x + own.width > box.x + box.width || own.y + own.height > box.y + box.height + 1;
  }).map((text) => text.textContent);
})"""
# What the keyboard comes by, in order.
STOPS = """(page) => [...page.querySelectorAll("a[href], [tabindex='0']")]
  .filter((each) => each.tabIndex === 0 && each.getClientRects().length > 0)
  .map((each) => each.getAttribute("href") || each.getAttribute("aria-label"))"""


def written(place: Path, count: int) -> Path:
    path = place / "report.html"
    path.write_text(report_page(report_of(count)))
    return path


@pytest.mark.parametrize("count", COUNTS)
def test_the_browser_understands_it_as_it_was_written(browser: Browser, tmp_path: Path, count: int) -> None:
    path = written(tmp_path, count)
    text, said = browser.document(path)
    assert said == []
    seen, meant = Page(text), Page(path.read_text())
    assert [tag for tag, _, _ in seen.elements] == [tag for tag, _, _ in meant.elements]
    assert seen.text.split() == meant.text.split()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_seen_in_light_and_dark(browser: Browser, tmp_path: Path, dark: bool) -> None:
    picture = browser.screenshot(written(tmp_path, 50), tmp_path / "seen.png", width=1280, height=900, dark=dark)
    assert (picture.width, picture.height) == (1280, 900)
    assert picture.ground == (DARK if dark else LIGHT)["ground"]
    assert picture.unlike_rows > 300


@pytest.mark.parametrize("width", [360, 1280], ids=["telephone", "desk"])
def test_nothing_is_cut_off_or_hidden_behind_an_edge(browser: Browser, tmp_path: Path, width: int) -> None:
    path = written(tmp_path, 50)
    assert browser.look(path, WIDE, width=width) == []
    assert browser.look(path, LABELS, width=width) == []


def test_the_keyboard_comes_by_everything_in_order(browser: Browser, tmp_path: Path) -> None:
    stops = browser.look(written(tmp_path, 6), STOPS, width=1280)
    anchors = ["results", "verify", "changes", "size", "images", "charts", "files", "packages", "media"]
    assert stops[:10] == ["#main", *(f"#{anchor}" for anchor in anchors)]
    assert {"Images in the order of the spec", "Bytes by who needs them"} <= set(stops[10:])


def test_it_prints_on_pages(browser: Browser, tmp_path: Path) -> None:
    pages = [
        len(re.findall(rb"/Type */Page\b", browser.print(written(tmp_path, count), tmp_path / "out.pdf")))
        for count in (1, 50)
    ]
    assert 2 <= pages[0] < pages[1] < 60
