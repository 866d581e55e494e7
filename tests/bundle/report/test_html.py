"""Nothing that a bundle says becomes markup."""

import html
from html.parser import HTMLParser

import pytest

from bundle.formats.visible import visible
from bundle.report._html import Markup, element, joined
from tests.fixtures.made.hostile import HOSTILE


class Seen(HTMLParser):
    """What a parser sees: elements with their attributes, and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_text_and_attributes_stay_what_they_are(text: str) -> None:
    seen = Seen()
    seen.feed(element("p", text, title=text))
    seen.close()
    assert seen.elements == [("p", {"title": visible(text)})]
    assert seen.text == visible(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_joined_to_markup_is_text(text: str) -> None:
    mixed = element("b", "x") + text
    assert not isinstance(mixed, Markup)
    assert element("p", mixed) == f"<p>{html.escape(visible(mixed))}</p>"


def test_what_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202egpj.exe") == "a\\u202egpj.exe"
    assert visible("zürich 東京\n") == "zürich 東京\n"


def test_elements() -> None:
    assert element("a", "x", href="#y", class_="z", aria_label=None) == '<a href="#y" class="z">x</a>'
    assert element("meta", http_equiv="a", content="b") == '<meta http-equiv="a" content="b">'
    assert joined(element("b", "x"), "<") == "<b>x</b>&lt;"
