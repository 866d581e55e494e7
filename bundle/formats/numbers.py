"""Numbers that others wrote: digits of ASCII, and no more of them than any size, port or version has."""

_DIGITS = 18  # less than 2 ** 63, and far below what Python refuses to read


def number(text: str) -> int | None:
    """The number that the text is; None for anything else, also for digits of other scripts and for endless ones."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
