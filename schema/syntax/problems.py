"""Findings in a spec, each with its place, told all at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from bundle.errors import FormatError, SpecError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A position in a text file, line and column counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One finding; `expected` and `hint` may be empty."""

    file: str
    line: int
    column: int
    what: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        parts = [self.what, f"expected {self.expected}" if self.expected else "", self.hint]
        return f"{self.file}:{self.line}:{self.column}: {'; '.join(part for part in parts if part)}"


class Problems:
    """Gathers the findings of one file. A scalar that was once found wrong is not complained about again."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: set[Problem] = set()
        self._settled: set[Place] = set()

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, what: str, *, expected: str = "", hint: str = "") -> None:
        """Note a finding, unless its place is settled."""
        if place not in self._settled:
            self._found.add(
                Problem(file=self.file, line=place.line, column=place.column, what=what, expected=expected, hint=hint)
            )

    def settle(self, place: Place) -> None:
        """Let later findings at this place be ignored: they would follow from one that is known."""
        self._settled.add(place)

    def settled(self, place: Place) -> bool:
        """Whether the value at this place is known to be wrong."""
        return place in self._settled

    def add_error(self, place: Place, subject: str, err: FormatError) -> None:
        """Note what a parser refused, and settle the place."""
        self.add(place, f"{subject}: {err.what}", hint=err.hint)
        self.settle(place)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found))

    def raise_all(self) -> None:
        """Raise one SpecError with all findings, by place; do nothing when there are none."""
        raise_together([self], self.file)


def raise_together(several: Iterable[Problems], subject: str) -> None:
    """Raise one SpecError with the findings of several files, file by file; do nothing when there are none."""
    found = [str(problem) for problems in several for problem in problems]
    if found:
        raise SpecError(f"{subject} has {len(found)} problem{'s' if len(found) > 1 else ''}:", found)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the known name that is closest, else empty."""
    match = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else ""


def listed(names: Iterable[str]) -> str:
    """`one of: a, b`, or that there is none to choose from."""
    text = ", ".join(sorted(names))
    return f"one of: {text}" if text else "one that is defined, and none is"
