"""How much a YAML document may be, as whoever walks it sees it: an alias counts as all that it stands for."""

from collections.abc import Iterable

_MAX_NODES = 2_000_000
_MAX_DEPTH = 100

NOT_MADE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises besides its own errors where a scalar is not what its tag says: `!!bool x`, a 13th month."""


def check_nodes(events: Iterable[object]) -> None:
    """A ValueError where the events of a YAML parser (PyYAML's names of them) make nodes too many or too deep.

    Or where an alias stands in what it stands for.
    """
    budget = _Budget()
    for event in events:
        anchor = getattr(event, "anchor", None)
        match type(event).__name__:
            case "DocumentStartEvent":
                budget.sizes.clear()
            case "MappingStartEvent" | "SequenceStartEvent":
                budget.open(anchor)
            case "MappingEndEvent" | "SequenceEndEvent":
                budget.close()
            case "AliasEvent":
                budget.alias(anchor or "")
            case "ScalarEvent":
                budget.open(anchor)
                budget.close()


class _Budget:
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
