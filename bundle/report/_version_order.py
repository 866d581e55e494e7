"""Which of two versions of a package is the later one, in the words of its own ecosystem.

One algorithm, that of Debian Policy 5.6.12, over versions that were first brought to its signs: `~` sorts before the
end of a version. It decides what a report calls up or down, nothing else.
"""

import re
from itertools import zip_longest

from bundle.formats.numbers import order_of

_EARLIER = {
    "apk": re.compile(r"_(?=alpha|beta|pre|rc)"),
    "pypi": re.compile(r"[._-]?(?=(?:a|b|c|rc|alpha|beta|pre|preview|dev)[._-]?\d)", re.IGNORECASE),
}
_SEMANTIC = ("npm", "golang", "cargo", "gem", "nuget")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")


def compare(kind: str, left: str, right: str) -> int:
    """Below 0 when `left` is the earlier one, 0 when they are equal, above 0 when it is the later one.

    `kind` is the type of their package URL: deb, rpm, apk, pypi, npm and the like.
    """
    return _compare_parts(_parts(kind, left), _parts(kind, right))


def _parts(kind: str, version: str) -> tuple[str, str, str]:
    """Epoch, upstream version and revision."""
    if kind in _SEMANTIC:
        core = version.removeprefix("v").partition("+")[0]
        return "", core.replace("-", "~", 1), ""
    epoch, colon, rest = version.partition(":" if kind in ("deb", "rpm") else "!")
    if not colon or not (epoch.isascii() and epoch.isdigit()):
        epoch, rest = "0", version
    if kind == "pypi":
        return epoch, _EARLIER[kind].sub("~", rest, count=1), ""
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    if kind == "apk":
        upstream = _EARLIER[kind].sub("~", upstream, count=1)
    # rpm's ^ comes after the end of a version and before anything that goes on with a dot: as a letter does here.
    return epoch, upstream.replace("^", "a"), revision


def _compare_parts(left: tuple[str, str, str], right: tuple[str, str, str]) -> int:
    return _compare_digits(left[0], right[0]) or _compare_text(left[1], right[1]) or _compare_text(left[2], right[2])


def _compare_text(left: str, right: str) -> int:
    """Runs of other signs and of digits in turn."""
    for one, other in zip_longest(_RUNS.findall(left), _RUNS.findall(right), fillvalue=("", "")):
        signs, others = [[_weight(sign) for sign in run[0]] for run in (one, other)]
        for weight, another in zip_longest(signs, others, fillvalue=0):
            if weight != another:
                return weight - another
        if difference := _compare_digits(one[1], other[1]):
            return difference
    return 0


def _compare_digits(left: str, right: str) -> int:
    one, other = order_of(left), order_of(right)
    return (one > other) - (one < other)


def _weight(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 0x110000
