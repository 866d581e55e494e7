r"""Text from outside, made fit for a reader: what moves a cursor, forges a line or hides a sign is written out.

Control characters, marks that turn the direction of text, signs without width and halves of surrogate pairs appear as
escapes (`\u202e`), as does a newline inside a value.
"""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text with its lines as they are, and all else that can't be seen written out."""
    return text if _is_plain(text) else "".join(sign if sign == "\n" else _shown(sign) for sign in text)


def one_line(text: str) -> str:
    """The text as one line: newlines are written out too."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _is_plain(text: str) -> bool:
    return text.replace("\n", "").isprintable()


def _shown(sign: str) -> str:
    if sign.isprintable():
        return sign
    code = ord(sign)
    return _SHORT.get(sign) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
