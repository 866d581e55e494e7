"""The `site` part of a spec: what a site decides, so that its file can be checked, completed and explained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

SettingType = Literal["", "string", "integer", "number", "boolean", "array", "object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """One setting, `a.b` for `b` in the mapping `a`; `${site.a.b}` stands for its value.

    `type` is JSON Schema's (empty: any), `choices` are the only values (empty: all). A site without it has `default`;
    None: there is none. `example` stands in the template where there is no default. `items` are the settings of each
    entry of a list, each of which has a `name`.
    """

    name: str
    type: SettingType = ""
    description: str = ""
    default: Any = None
    example: Any = None
    choices: tuple[Any, ...] = ()
    items: "tuple[SettingSpec, ...]" = ()

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict, for the same name."""
        return cls(
            name=name,
            type=cast("SettingType", data["type"]),
            description=data["description"],
            default=data["default"],
            example=data["example"],
            choices=tuple(data["enum"]),
            items=tuple(cls.from_dict(key, item) for key, item in data.get("items", {}).items()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, without the name."""
        return {
            "type": self.type,
            "description": self.description,
            "default": self.default,
            "example": self.example,
            "enum": list(self.choices),
            **({"items": {each.name: each.to_dict() for each in self.items}} if self.items else {}),
        }
