"""Helm's ignore rules (helm v3 and v4, pkg/ignore), which look like .gitignore and differ from it.

One rule is enough to ignore a path, and none brings it back: a `!` rule ignores everything that it does not match.
Patterns are those of Go's filepath.Match: `*` and `?` stop at a slash, `[^a]` negates, `**` is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError

FILE_NAME = ".helmignore"
_DEFAULT = "templates/.?*"
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line: what it matches, whether the whole path or the last component, and whether only directories."""

    pattern: tuple[re.Pattern[str] | None, ...]
    whole_path: bool
    only_directories: bool
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one rule; a FormatError says what Helm does not understand in it."""
        if "**" in text:
            raise FormatError(f"rule {text!r} has **", hint="Helm knows no **: write one rule for each depth")
        negated = text.startswith("!")
        rest = text[1:] if negated else text
        only_directories = rest.endswith("/")
        rest = rest.removesuffix("/")
        return cls(
            pattern=_compile(rest.lstrip("/")),
            whole_path="/" in rest,
            only_directories=only_directories,
            negated=negated,
        )

    def matches(self, path: str, *, is_directory: bool) -> bool:
        """Whether the pattern fits a path below the chart, and its kind."""
        if self.only_directories and not is_directory:
            return False
        return _fits(self.pattern, path if self.whole_path else path.rpartition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRules:
    """The rules of one chart, and Helm's default."""

    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a .helmignore file (an empty text for a chart without one)."""
        lines = (line.strip() for line in text.removeprefix(_BOM).split("\n"))
        chosen = [line for line in lines if line and not line.startswith("#")]
        return cls(rules=tuple(Rule.parse(line) for line in [*chosen, _DEFAULT]))

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        """Whether Helm leaves out this path, given relative to the chart with slashes; a directory goes as a whole."""
        return any(rule.matches(path, is_directory=is_directory) != rule.negated for rule in self.rules)


def _fits(pattern: Sequence[re.Pattern[str] | None], text: str) -> bool:
    """Whether the pattern fits all of the text, in a time that is the product of their lengths at most."""
    reached = _past_stars(pattern, {0})
    for sign in text:
        stays = {place for place in reached if place < len(pattern) and pattern[place] is None and sign != "/"}
        moved = {
            place + 1
            for place in reached
            if place < len(pattern) and (one := pattern[place]) is not None and one.fullmatch(sign)
        }
        reached = _past_stars(pattern, stays | moved)
        if not reached:
            return False
    return len(pattern) in reached


def _past_stars(pattern: Sequence[re.Pattern[str] | None], places: set[int]) -> set[int]:
    """The places, and those behind the stars that they stand at."""
    found = set(places)
    for place in places:
        after = place
        while after < len(pattern) and pattern[after] is None:
            after += 1
            found.add(after)
    return found


def _compile(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """Go's filepath.Match pattern as what each sign of a text must fit; None stands for any signs but slashes."""
    parts: list[str | None] = []
    rest = iter(pattern)
    for char in rest:
        if char == "*":
            parts.append(None)
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            parts.append(_character_class(rest, pattern))
        elif char == "\\":
            parts.append(re.escape(_next(rest, pattern)))
        else:
            parts.append(re.escape(char))
    return tuple(part if part is None else re.compile(part, re.DOTALL) for part in parts)


def _character_class(rest: Iterator[str], pattern: str) -> str:
    """The class after its opening bracket; `]` and `-` stand for themselves only after a backslash."""
    char = _next(rest, pattern)
    negated = char == "^"
    if negated:
        char = _next(rest, pattern)
    ranges: list[tuple[str, str]] = []
    while char != "]" or not ranges:
        low = high = _class_member(char, rest, pattern)
        char = _next(rest, pattern)
        if char == "-":
            high = _class_member(_next(rest, pattern), rest, pattern)
            char = _next(rest, pattern)
        ranges.append((low, high))
    usable = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not usable:
        return "." if negated else "(?!)"
    return f"[^{usable}]" if negated else f"[{usable}]"


def _class_member(char: str, rest: Iterator[str], pattern: str) -> str:
    if char in "]-":
        raise _malformed(pattern)
    return _next(rest, pattern) if char == "\\" else char


def _next(rest: Iterator[str], pattern: str) -> str:
    for char in rest:
        return char
    raise _malformed(pattern)


def _malformed(pattern: str) -> FormatError:
    return FormatError(
        f"rule {pattern!r} is not a pattern that Helm understands",
        hint="close each [ with a ], and write a backslash before a -, ] or \\ that stands for itself",
    )
