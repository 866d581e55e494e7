"""What a template of values left to be filled in and nobody did."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schema.values.values import KeyPath, Values, key_text

# In a text of one line only: longer ones are scripts and documents, where these mean something else.
_LINE = re.compile(r"<[A-Za-z0-9_](?:[A-Za-z0-9_ .-]*[A-Za-z0-9_])?>|\b(?:TODO|FIXME|TBD)\b")
_ANYWHERE = re.compile(
    r"\b(?:change|replace|fill)[-_]?me\b"
    r"|\b(?:my|your)[-_]?(?:company|corp|domain|organi[sz]ation|org|host|registry)\.[a-z]{2,}\b"
    r"|\bexample\.(?:com|net|org)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """The piece `found` in the value at `path`; `place` is `file:line`, empty when not known."""

    path: KeyPath
    place: str
    found: str

    def __str__(self) -> str:
        return f"{self.place + ': ' if self.place else ''}{key_text(self.path)!r} still holds {self.found!r}"


def placeholders(values: Values) -> tuple[Placeholder, ...]:
    """All of them, in the order of the values. Resolve these with values.without_secrets: the pieces are shown."""
    return tuple(
        Placeholder(path=path, place=values.places.get(path, ""), found=found)
        for path, value in _texts(values.data, ())
        if (found := placeholder_in(value))
    )


def placeholder_in(text: str) -> str:
    """The first piece of a text that stands for something to be filled in; empty when there is none."""
    found = _ANYWHERE.search(text)
    if not found and "\n" not in text.strip() and "</" not in text:
        found = _LINE.search(text)
    return found[0] if found else ""


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
