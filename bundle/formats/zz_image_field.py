"""Where a custom resource names an image: an API group, a kind and a JSONPath (Kubernetes API conventions)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.formats.json_path import JsonPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageField:
    """What `path` leads to in objects of this kind is an image: a text, or a mapping of registry, repository and tag.

    An empty `group` stands for every group, the kind `*` for every kind of the group.
    """

    group: str
    kind: str
    path: JsonPath

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(group=data["group"], kind=data["kind"], path=JsonPath.parse(data["path"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"group": self.group, "kind": self.kind, "path": str(self.path)}

    def fits(self, *, group: str, kind: str) -> bool:
        """Whether objects of this group and kind have the field."""
        return self.group in ("", group) and self.kind in ("*", kind)
