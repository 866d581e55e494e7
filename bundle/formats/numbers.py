"""Numbers that others wrote: digits of ASCII, and no more of them than any size, port or version has."""

_DIGITS = 18  # less than 2 ** 63, and far below what Python refuses to read


def number(text: str) -> int | None:
    """The number that the text is; None for anything else, also for digits of other scripts and for endless ones."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def count(value: object) -> int:
    """A count that a member of JSON states, as a number or as digits; 0 for anything else, and for endless ones."""
    if isinstance(value, str):
        return number(value) or 0
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**_DIGITS else 0


def order_of(digits: str) -> tuple[int, str]:
    """By what runs of digits are sorted as the numbers that they are, however long they are."""
    significant = digits.lstrip("0")
    return len(significant), significant
