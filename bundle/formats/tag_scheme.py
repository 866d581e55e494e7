"""Which of the tags of a repository are later versions of one of them: compared within its own scheme only.

A tag is a version where it has numbers: an optional word before them (`v`, `RELEASE.`), the numbers, a pre-release
(`-rc.1`), and a variant (`-alpine3.20`, `-debian-12-r3`). Tags of two schemes are never compared: `1.27` says nothing
of `1.27.3`, `2024.1` nothing of `9.1`, `16-alpine` nothing of `17`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

_TAG = re.compile(
    r"(?P<word>(?:[A-Za-z]+[A-Za-z_.-]*)?)"
    r"(?P<numbers>\d+(?:(?P<separator>[.-])\d+)?(?:(?P=separator)\d+)*)"
    r"(?P<pre>[-._~]?(?:alpha|beta|preview|pre|rc|milestone|snapshot|nightly|canary|unstable|test|next|dev|ea"
    r"|(?<=\d)[abm](?=\d)|(?<=[-.])[abm](?=\d))(?![a-z])[-.]?[\d.]*)?"
    r"(?P<variant>(?:[-_.T].*)?)",
    re.ASCII | re.IGNORECASE,
)
_COMMIT = re.compile(r"(?<![0-9a-z])g?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,40}(?![0-9a-z])")
_RUN = re.compile(r"[0-9]+")
_DIGITS = 18  # of one number; dates with a time have 14
_YEARS = range(1990, 2100)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagScheme:
    """A version as a tag writes it. `family` is equal for tags that can be compared, `order` is how."""

    family: tuple[object, ...]
    order: tuple[object, ...]
    is_prerelease: bool
    major: int
    text: str = field(compare=False)

    @classmethod
    def parse(cls, tag: str) -> Self | None:
        """How a tag is to be read as a version; None for one that is none (`latest`, a commit's number)."""
        if _COMMIT.fullmatch(tag):
            return None
        found = _TAG.fullmatch(tag.partition("+")[0])  # build metadata of a chart's version (semver 10) has no order
        if not found:
            return None
        separator = found["separator"] or ""
        if len(max(_RUN.findall(tag), key=len)) > _DIGITS:
            return None
        numbers = tuple(map(int, re.split(r"[.-]", found["numbers"])))
        variant = _COMMIT.sub("COMMIT", found["variant"])
        dated = _is_date(found["numbers"], numbers)
        if separator == "-" and not dated:  # 16-3 is version 16 of a variant
            numbers, variant = numbers[:1], found["numbers"].removeprefix(str(numbers[0])) + variant
        shape = _RUN.sub("#", variant)
        pre = (found["pre"] or "").lower()
        runs = tuple(map(int, _RUN.findall(variant)))
        family = (found["word"], separator if dated else "", dated, len(numbers), shape)
        order = (numbers, not pre, re.sub(r"[^a-z]", "", pre), tuple(map(int, _RUN.findall(pre))), runs)
        return cls(family=family, order=order, is_prerelease=bool(pre), major=numbers[0], text=tag)

    def is_later(self, other: Self) -> bool:
        """Whether this is a later version of the same scheme; of a release no pre-release is."""
        same = self.family == other.family and self.order > other.order
        return same and (other.is_prerelease or not self.is_prerelease)


def later(tag: str, tags: Iterable[str]) -> tuple[str, ...] | None:
    """The later versions among the tags, the earliest first; None where the tag itself is no version."""
    own = TagScheme.parse(tag)
    if own is None:
        return None
    read = (TagScheme.parse(each) for each in set(tags))
    found = sorted((each for each in read if each and each.is_later(own)), key=lambda each: (each.order, each.text))
    return tuple(each.text for each in found)


def same_line(tag: str, later_tags: Iterable[str]) -> tuple[str, ...]:
    """Those of the later tags that have the first number of the tag."""
    own = TagScheme.parse(tag)
    read = ((each, TagScheme.parse(each)) for each in later_tags)
    return tuple(text for text, each in read if own and each and each.major == own.major)


def _is_date(text: str, numbers: tuple[int, ...]) -> bool:
    """Whether they begin with a year: 2024.1, 2024-01-31, 20240131."""
    first = re.split(r"[.-]", text)[0]
    if len(first) == 8:
        return int(first[:4]) in _YEARS and 1 <= int(first[4:6]) <= 12
    return len(first) == 4 and numbers[0] in _YEARS
