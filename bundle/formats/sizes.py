"""Numbers of bytes as people read them."""

_UNITS = ("B", "KB", "MB", "GB", "TB")


def human(size: float) -> str:
    """A number of bytes in powers of 1000, with two or three significant digits: `1.4 GB`."""
    unit = 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or abs(size) >= 99.5 else f"{size:.1f} {_UNITS[unit]}"


def counted(number: int, noun: str) -> str:
    """How many there are, with the noun: "1 image", "2 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
