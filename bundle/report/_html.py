"""HTML that can't be broken out of: text is escaped where it becomes a part of an element, with no way around it."""

import html

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


def visible(text: str) -> str:
    r"""The text with what can't be seen written out, `\u202e`: signs that turn or hide others deceive a reader."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\u{ord(sign):04x}" for sign in text)


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)
