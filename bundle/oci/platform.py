"""Platforms: `os/architecture[/variant]` (OCI image-spec image-index.md, "platform")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.errors import FormatError

ALL_PLATFORMS = "all"
_PART = re.compile(r"[a-z0-9][a-z0-9._-]*")
# The variant that an architecture has when none is written (containerd's platform rules).
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
# What other tools call these architectures (containerd's platform rules).
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
_VARIANT = re.compile(r"v([0-9]{1,3})(?:\.([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Platform:
    """One platform; `variant` is empty where none is named."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `linux/amd64` or `linux/arm/v7`."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
            raise FormatError(
                f"{text!r} is not a platform", hint="write os/architecture[/variant], for example linux/amd64"
            )
        return cls(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) == 3 else "")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the `platform` object of an index entry, or an image config; what is absent or no text is empty."""
        fields = (data.get(key) for key in ("os", "architecture", "variant"))
        os, architecture, variant = (each.lower() if isinstance(each, str) else "" for each in fields)
        return cls(os=os, architecture=_ALIASES.get(architecture, architecture), variant=variant)

    def to_dict(self) -> dict[str, str]:
        """The `platform` object of an index entry."""
        data = {"architecture": self.architecture, "os": self.os}
        return {**data, "variant": self.variant} if self.variant else data

    def satisfies(self, wanted: Self) -> bool:
        """Whether an image for this platform is one for `wanted`: same OS and architecture, same effective variant."""
        return self.rank(wanted) == 0

    def rank(self, wanted: Self) -> int | None:
        """How well an image for this platform does for `wanted`, 0 the best; None where it is for another.

        What is not stated contradicts nothing (1). A machine also runs what is made for an earlier variant of its
        architecture (2 and more, the latest first), as containerd has it.
        """
        known = ((self.os, wanted.os), (self.architecture, wanted.architecture))
        if any(mine and mine != theirs for mine, theirs in known):
            return None
        default = _DEFAULT_VARIANT.get(wanted.architecture, "")
        mine, theirs = self.variant or default, wanted.variant or default
        if self.os and self.architecture and mine == theirs:
            return 0
        if not self.os or not self.architecture or not self.variant:
            return 1
        older, newer = _VARIANT.fullmatch(mine), _VARIANT.fullmatch(theirs)
        if older is None or newer is None:
            return None
        steps = (int(newer[1]) - int(older[1])) * 100 + int(newer[2] or 0) - int(older[2] or 0)
        return 2 + steps if steps > 0 else None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Two or more platforms of an index, sorted, written `linux/amd64,linux/arm64`."""

    platforms: tuple[Platform, ...]

    def __str__(self) -> str:
        return ",".join(str(each) for each in self.platforms)


Choice = Platform | Several | None
"""What is taken of an index: one platform, several, or (None) all."""


def parse_choice(text: str) -> Choice:
    """Read `all`, a platform, or several that commas separate: the inverse of platform_text."""
    if text == ALL_PLATFORMS:
        return None
    platforms = sorted({Platform.parse(each.strip()) for each in text.split(",")})
    return platforms[0] if len(platforms) == 1 else Several(platforms=tuple(platforms))


def chosen(choice: Choice) -> tuple[Platform, ...]:
    """The platforms that are chosen; none where all are taken."""
    if isinstance(choice, Several):
        return choice.platforms
    return (choice,) if choice else ()


def platform_text(choice: Choice) -> str:
    """How a choice is written: `all` for None."""
    return str(choice or ALL_PLATFORMS)
