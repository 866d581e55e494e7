"""Versions of programs and servers, as far as their order goes."""

import re
from dataclasses import dataclass, field
from typing import Self

from bundle.errors import FormatError

_PATTERN = re.compile(r"v?(\d{1,18})\.(\d{1,18})(?:\.(\d{1,18}))?(?!\d)(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Version:
    """A version's numbers; `rest` (a pre-release, a build, a vendor's words) takes no part in the order."""

    major: int
    minor: int
    patch: int = 0
    rest: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.32`, `v1.32.4` or `v1.32.4-gke.100`; anything else is a FormatError."""
        found = _PATTERN.fullmatch(text.strip())
        if not found:
            raise FormatError(f"{text!r} is no version", hint="expected numbers like 1.32 or v1.32.4")
        major, minor, patch, rest = found.groups()
        return cls(major=int(major), minor=int(minor), patch=int(patch or 0), rest=rest)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{self.rest}"
