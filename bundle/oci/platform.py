"""Platforms: `os/architecture[/variant]` (OCI image-spec image-index.md, "platform")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.errors import FormatError

ALL_PLATFORMS = "all"
_PART = re.compile(r"[a-z0-9][a-z0-9._-]*")
# The variant that an architecture has when none is written (containerd's platform rules).
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7"}


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
        """Read the `platform` object of an index entry, or an image config."""
        return cls(
            os=str(data.get("os", "")),
            architecture=str(data.get("architecture", "")),
            variant=str(data.get("variant", "")),
        )

    def to_dict(self) -> dict[str, str]:
        """The `platform` object of an index entry."""
        data = {"architecture": self.architecture, "os": self.os}
        return {**data, "variant": self.variant} if self.variant else data

    def satisfies(self, wanted: Self) -> bool:
        """Whether an image for this platform is one for `wanted`: same OS and architecture, same effective variant."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        default = _DEFAULT_VARIANT.get(self.architecture, "")
        return (self.variant or default) == (wanted.variant or default)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def platform_text(platform: Platform | None) -> str:
    """How a platform is written where there may be none to choose: `all` for None."""
    return str(platform or ALL_PLATFORMS)
