"""Images that are made at install from another one of the bundle: which, and what is added."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bundle.oci.reference import Reference
from schema.syntax import template


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedImageSpec:
    """One derived image: `base` is the name of the image it is made of, `target` its full name inside.

    `add_ca` is a template. Without names it is the path of a file with certificates, which travels; else it stands for
    the certificates themselves, or for the path of a file beside the site file.
    """

    name: str
    base: str
    add_ca: str
    target: Reference

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict."""
        return cls(name=data["name"], base=data["base"], add_ca=data["add_ca"], target=Reference.parse(data["target"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"name": self.name, "base": self.base, "add_ca": self.add_ca, "target": str(self.target)}

    def carried_file(self, directory: Path) -> Path | None:
        """The file that travels, its path relative to the spec's directory; None for what only the site has."""
        pieces = template.parse(self.add_ca)
        return None if template.names(pieces) else directory / str(pieces[0])
