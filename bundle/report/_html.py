"""HTML that can't be broken out of: text is escaped where it becomes a part of an element, with no way around it."""

import html
from collections.abc import Mapping, Sequence

from bundle.formats.visible import visible

VOID = frozenset({"meta", "br", "hr"})


class Markup(str):
    """HTML that `element` made. Any other text, also one joined to this, is text."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | None) -> Markup:
    """`<name attributes>children</name>`; attributes that are None are left out.

    An attribute's underscores become hyphens, and a final one is dropped: `aria_label`, `class_`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Children one after the other: markup as it is, text escaped."""
    return Markup("".join(child if isinstance(child, Markup) else _escaped(child) for child in children))


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)


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
