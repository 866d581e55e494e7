"""The `discovery` part of a spec: where custom resources of the user's own name images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.formats.json_path import ImageField


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySpec:
    """Fields besides the well-known ones."""

    fields: tuple[ImageField, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(fields=tuple(ImageField.from_dict(item) for item in data["fields"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"fields": [item.to_dict() for item in self.fields]}
