"""Entries that stand for several: `for_each` repeats a release, a secret, an action or a check over a list of the site.

There `${item.KEY}` is a member of the list's entry. `${item.suffix}` is `-` and its name, `${item.SUFFIX}` the same for
variables of the environment (`_TEAM_B`); both may also stand inside another name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from schema.syntax import template
from schema.syntax.template import Name

ITEM = "item"
NAME = "name"  # the member that names an entry of a list
LOWER, UPPER = "suffix", "SUFFIX"
_SETTING = re.compile(r"\$\{site\.([A-Za-z0-9_.-]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """`list` is a setting that is a list of mappings, each with a `name`.

    `first` (empty: none) is a setting that is a mapping: for it the entry stands too, without a suffix.
    """

    list: str
    first: str = ""

    @classmethod
    def of(cls, list_: str, first: str = "") -> Self:
        """Read the names of two settings, each `${site.NAME}` or empty."""
        return cls(list=_SETTING.sub(r"\1", list_), first=_SETTING.sub(r"\1", first))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self | None:
        """The `for_each` of an entry in a resolved spec; None where it has none, a TypeError for something else."""
        found = data.get("for_each")
        if not found:
            return None
        if not (isinstance(found["list"], str) and found["list"] and isinstance(found["first"], str)):
            raise TypeError("for_each")
        return cls(list=found["list"], first=found["first"])

    def __str__(self) -> str:
        return f"${{site.{self.list}}}"


def repeated(for_each: ForEach | None, when: str = "") -> dict[str, Any]:
    """What an entry of a resolved spec says of its `for_each`, the inverse of ForEach.from_dict, and of its `when`."""
    said: dict[str, Any] = {"when": when} if when else {}
    return {**said, "for_each": {"list": for_each.list, "first": for_each.first}} if for_each else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What an entry stands for once: `place` is the setting that `${item}` is, `name` that of a list's entry, or empty.

    `secrets` and `steps` are what is repeated with it: their names get the suffix too.
    """

    place: str
    name: str = ""
    secrets: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()

    @property
    def suffix(self) -> str:
        """What is added to names."""
        return f"-{self.name}" if self.name else ""

    def named(self, text: str) -> str:
        """A text with its suffixes put in, and no other name."""
        upper = self.suffix.upper().replace("-", "_")
        return text.replace(f"${{{ITEM}.{LOWER}}}", self.suffix).replace(f"${{{ITEM}.{UPPER}}}", upper)

    def filled(self, text: str) -> str:
        """A template that says of this item what `text` says of each."""
        if "${" not in text:
            return text
        pieces = template.parse(text)
        return "".join(template.escape(piece) if isinstance(piece, str) else self._filled(piece) for piece in pieces)

    def _filled(self, name: Name) -> str:
        if name.space == ITEM and name.rest in (LOWER, UPPER):
            return template.in_text(template.filled(name, self.named(str(name.plain))))
        if name.space == ITEM:
            return str(replace(name, space="site", rest=f"{self.place}.{name.rest}"))
        if name.space == "secret" and name.rest in self.secrets:
            return str(replace(name, rest=f"{name.rest}{self.suffix}"))
        if name.space == "output" and name.subject in self.steps:
            return str(replace(name, rest=f"{name.subject}{self.suffix}.{name.part}"))
        return str(replace(name, rest=self.named(name.rest)))
