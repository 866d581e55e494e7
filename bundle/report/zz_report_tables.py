"""The building blocks of the report's page: sections, tables, lists of facts."""

from collections.abc import Mapping, Sequence

from bundle.report._html import Markup, element

_KINDS = {"Share": "bar", "Change": "word", "Result": "word"}


def section(anchor: str, title: str, content: Markup) -> Markup:
    """A section that can be jumped to, under a heading of the second level."""
    heading = element("h2", title, id=f"{anchor}-title")
    return element("section", heading, content, id=anchor, aria_labelledby=f"{anchor}-title")


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table whose first column heads its rows; a column whose title begins with `#` holds numbers.

    On a small screen it may be scrolled sideways, by keyboard too.
    """
    head = element("tr", *(element("th", title.lstrip("#"), scope="col", class_=_kind(title)) for title in columns))
    body = []
    for first, *others in rows:
        cells = [element("td", cell, class_=_kind(title)) for title, cell in zip(columns[1:], others, strict=True)]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    made = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", made, class_="wide", role="region", aria_label=caption, tabindex="0")


def facts(items: Mapping[str, str]) -> Markup:
    """A few figures, each with its name."""
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in items.items()),
        class_="facts",
    )


def item(items: Mapping[str, str]) -> Markup:
    """What there is to say of one thing, line by line; what is empty is left out."""
    lines = [piece for name, value in items.items() if value for piece in (element("dt", name), element("dd", value))]
    return element("dl", *lines, class_="item")


def code(text: str) -> Markup:
    """Something to be compared or copied sign by sign."""
    return element("code", text)


def _kind(title: str) -> str | None:
    return "number" if title.startswith("#") else _KINDS.get(title)
