"""YAML from charts and clusters: read with a bound on what aliases make of it, and on how deep it is."""

from collections.abc import Iterator
from typing import Any

import yaml

from bundle.errors import FormatError

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXTS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar stays the text it is
_MAX_NODES = 2_000_000  # as whoever walks it sees it: an alias counts as all that it stands for
_MAX_DEPTH = 100
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def documents(text: str | bytes, *, loader: Any = _SAFE) -> list[Any]:
    """The documents of a stream, made by a loader of PyYAML that is safe.

    A FormatError says in one line what is wrong: no YAML, nested too deeply, made too large by aliases, a date or a
    number that is none.
    """
    try:
        _check(yaml.parse(text, Loader=loader))
        return list(yaml.load_all(text, Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as err:
        raise FormatError(f"no YAML: {' '.join(str(err).split())[:400]}") from err


def _check(events: Iterator[yaml.Event]) -> None:
    """Raise a ValueError where the nodes are too many or too deep, or an alias stands in what it stands for."""
    count = _Count()
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            count.sizes.clear()
        elif isinstance(event, _OPENING):
            count.open(event.anchor)
        elif isinstance(event, _CLOSING):
            count.close()
        elif isinstance(event, yaml.AliasEvent):
            count.alias(event.anchor or "")
        elif isinstance(event, yaml.ScalarEvent):
            count.open(event.anchor)
            count.close()


class _Count:
    """The nodes so far, and those of each anchor."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._nodes = 0
        self._open: list[tuple[str | None, int]] = []

    def open(self, anchor: str | None) -> None:
        self._open.append((anchor, self._nodes))
        self._add(1)
        if len(self._open) > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")

    def close(self) -> None:
        anchor, before = self._open.pop()
        if anchor:
            self.sizes[anchor] = self._nodes - before

    def alias(self, anchor: str) -> None:
        if anchor not in self.sizes:
            raise ValueError(f"alias {anchor[:80]!r} stands for nothing before it")
        self._add(self.sizes[anchor])

    def _add(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise ValueError("aliases make it too large")
