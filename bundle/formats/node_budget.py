"""How much a YAML document may be, as whoever walks it sees it: an alias counts as all that it stands for."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from bundle.errors import FormatError

_MAX_NODES = 2_000_000
_MAX_DEPTH = 100

NOT_MADE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises besides its own errors where a scalar is not what its tag says: `!!bool x`, a 13th month."""


def read_documents(yaml: Any, text: str | bytes, loader: Any) -> list[Any]:
    """As `load_all`, with a FormatError that says in one line what is wrong."""
    try:
        return load_all(yaml, text, loader)
    except (yaml.YAMLError, *NOT_MADE) as err:
        raise FormatError(f"no YAML: {' '.join(str(err).split())[:400]}") from err


def load_all(yaml: Any, text: str | bytes, loader: Any) -> list[Any]:
    """The documents of a stream, made by a safe loader of PyYAML, the module `yaml`.

    A ValueError where nodes are too many or too deep, or an alias stands in itself; else what PyYAML raises.
    """
    if hasattr(loader, "fetch_more_tokens"):  # PyYAML's own in Python, which is slow: one reading has to do
        return list(yaml.load_all(text, Loader=_counting(loader)))
    check_nodes(yaml.parse(text, Loader=loader))
    return list(yaml.load_all(text, Loader=loader))


def check_nodes(events: Iterable[object]) -> None:
    """A ValueError where the events of a YAML parser (PyYAML's names of them) make nodes too many or too deep.

    Or where an alias stands in what it stands for.
    """
    budget = _Budget()
    for event in events:
        budget.count(event)


@cache
def _counting(loader: Any) -> Any:
    """A loader like this one, which counts the events that it makes nodes of."""

    class Counting(loader):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self._budget = _Budget()

        def get_event(self) -> Any:
            event = super().get_event()
            self._budget.count(event)
            return event

    return Counting


class _Budget:
    """The nodes so far, and those of each anchor."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._nodes = 0
        self._open: list[tuple[str | None, int]] = []

    def count(self, event: object) -> None:
        """The next event of a parser."""
        anchor = getattr(event, "anchor", None)
        match type(event).__name__:
            case "DocumentStartEvent":
                self._sizes.clear()
            case "MappingStartEvent" | "SequenceStartEvent":
                self._begin(anchor)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._end()
            case "AliasEvent":
                self._alias(anchor or "")
            case "ScalarEvent":
                self._begin(anchor)
                self._end()

    def _begin(self, anchor: str | None) -> None:
        self._open.append((anchor, self._nodes))
        self._add(1)
        if len(self._open) > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")

    def _end(self) -> None:
        anchor, before = self._open.pop()
        if anchor:
            self._sizes[anchor] = self._nodes - before

    def _alias(self, anchor: str) -> None:
        if anchor not in self._sizes:
            raise ValueError(f"alias {anchor[:80]!r} stands for nothing before it")
        self._add(self._sizes[anchor])

    def _add(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise ValueError("aliases make it too large")
