"""Sizes and durations as a spec writes them."""

import re
from decimal import Decimal
from pathlib import Path

from bundle.errors import FormatError

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([A-Za-z]+)")
_UNITS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
    "kB": 1000,
}
_DURATION = re.compile(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def parse_size(text: str) -> int:
    """Read `4095MiB` or `700MB` as bytes (GiB is 1024 ** 3, GB is 1000 ** 3); less than a byte is refused."""
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match[2]) if match else None
    if not match or unit is None:
        raise FormatError(f"{text!r} is not a size", hint="write 4095MiB or 700MB, for example")
    size = int(Decimal(match[1]) * unit)
    if size < 1:
        raise FormatError(f"size {text!r} is less than a byte", hint="write 4095MiB or 700MB, for example")
    return size


def parse_duration(text: str) -> int:
    """Read `90s`, `15m` or `1h30m`, as Helm writes them, as seconds; zero is refused."""
    match = _DURATION.fullmatch(text)
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not seconds:
        raise FormatError(f"{text!r} is not a duration", hint="write 90s, 15m or 1h30m, for example")
    return seconds


def path_text(path: Path | None, base: Path) -> str:
    """The path as the spec writes it; empty for None. One outside of `base` that was written absolute stays so."""
    if path is None:
        return ""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def optional_path(text: str, base: Path) -> Path | None:
    """The inverse of path_text."""
    return base / text if text else None
