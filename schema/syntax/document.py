"""YAML with the place of every node (YAML 1.1, as PyYAML reads it), and its traps explained."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bundle.formats.node_budget import NOT_MADE
from schema.syntax.problems import Place, Problems

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

Scalar = None | bool | int | float | str | datetime.date | bytes
_MAX_NODES = 200_000
_STR = "tag:yaml.org,2002:str"
_DATE = "tag:yaml.org,2002:timestamp"
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENTED = re.compile(r"^[ ?-]{200}", re.M)
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value with its place, and its key's place where it has a key.

    `text` is what a scalar without quotes looks like in the file; empty for a quoted one and for collections.
    """

    place: Place
    key: Place | None
    value: Scalar | dict[str, Node] | list[Node]
    text: str = ""

    def get(self, name: str) -> Node | None:
        """The member of a mapping; None where there is none, or this is no mapping."""
        return self.value.get(name) if isinstance(self.value, dict) else None

    def items(self) -> Sequence[Node]:
        """The entries of a list; none where this is no list."""
        return self.value if isinstance(self.value, list) else ()

    def entries(self, name: str) -> Sequence[Node]:
        """The entries of a mapping's list of this name; none where there is no such list."""
        member = self.get(name)
        return member.items() if member else ()

    def members(self) -> dict[str, Node]:
        """The members of a mapping; none where this is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value as plain Python data, without places."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read(path: Path, problems: Problems, *, may_be_empty: bool = False) -> Node | None:
    """The document's root; None when there is nothing to go on with. Findings go to `problems`.

    A file that `may_be_empty` is an empty mapping then. Raises OSError when the file can't be read.
    """
    return parse(path.read_bytes(), problems, may_be_empty=may_be_empty)


def parse(raw: bytes, problems: Problems, *, may_be_empty: bool = False) -> Node | None:
    """As read, for the bytes of a file."""
    start = Place(line=1, column=1)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = raw[: err.start].count(b"\n") + 1
        problems.add(Place(line=line, column=1), "the file is not UTF-8 text", hint="save it as UTF-8")
        return None
    if _too_deep(text):
        problems.add(start, "the file is nested too deeply")
        return None
    loader = None
    try:
        loader = Loader(text)
        tree = loader.get_single_node()
        if tree is None and may_be_empty:
            return Node(place=start, key=None, value={})
        if tree is None:
            problems.add(start, "the file is empty", hint="begin it with `version: 1`")
            return None
        return _Reader(loader, problems).node(tree, None)
    except yaml.MarkedYAMLError as err:
        _syntax(err, problems)
    except yaml.reader.ReaderError as err:
        problems.add(_character_place(text), f"a character that YAML does not allow (#x{err.character:04x})")
    finally:
        if loader:
            loader.dispose()
    return None


def _too_deep(text: str) -> bool:
    """Whether a file nests so deeply that libyaml, which recurses in C, would crash on it."""
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > 50:
            return True
    return bool(_INDENTED.search(text))


class _Reader:
    """Turns PyYAML's nodes into ours, following aliases and merge keys."""

    def __init__(self, loader: Any, problems: Problems) -> None:
        self._loader = loader
        self._problems = problems
        self._open: set[int] = set()
        self._count = 0

    def node(self, node: yaml.Node, key: Place | None) -> Node:
        place = _place(node.start_mark)
        self._count += 1
        if self._count > _MAX_NODES:
            raise yaml.MarkedYAMLError(None, None, "aliases make this file too large", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return Node(place=place, key=key, value=self._scalar(node), text="" if node.style else node.value)
        if id(node) in self._open:
            raise yaml.MarkedYAMLError(None, None, "an alias that contains itself", node.start_mark)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return Node(place=place, key=key, value=[self.node(item, None) for item in node.value])
            return Node(place=place, key=key, value=self._mapping(node))
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Scalar:
        if node.tag == _STR:
            return str(node.value)
        try:
            return self._loader.construct_object(node)  # type: ignore[no-any-return]
        except NOT_MADE as err:  # a date such as 2024-13-01, a number of thousands of digits, `!!bool x`
            told = f"this is read as a date, but {err}" if node.tag == _DATE else "this is not what its form says"
            raise yaml.MarkedYAMLError(None, None, told, node.start_mark) from err

    def _mapping(self, node: yaml.Node) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for name, value in self._merged(value_node):
                    merged.setdefault(name, value)
                continue
            place = _place(key_node.start_mark)
            name = self._key(key_node, place)
            if name in own:
                first = own[name].key or place
                self._problems.add(place, f"key {name!r} is given twice, first in line {first.line}")
                continue
            own[name] = self.node(value_node, place)
        return {**merged, **own}

    def _merged(self, node: yaml.Node) -> Iterator[tuple[str, Node]]:
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            value = self.node(part, None)
            if not isinstance(value.value, dict):
                raise yaml.MarkedYAMLError(None, None, "<< merges mappings only", node.start_mark)
            yield from value.value.items()

    def _key(self, node: yaml.Node, place: Place) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(None, None, "a key that is no text", node.start_mark)
        value = self._scalar(node)
        if not isinstance(value, str):
            hint = trap(Node(place=place, key=None, value=value, text=node.value))
            self._problems.add(place, f"key {node.value!r} is no text", hint=hint)
        return str(node.value)


def trap(node: Node) -> str:
    """For an unquoted scalar that YAML does not read as text: what it reads instead, and how to write text."""
    if not node.text or isinstance(node.value, str | dict | list):
        return ""
    return f'YAML reads {node.text} as {describe(node.value)}: write "{node.text}" in quotes'


def describe(value: object) -> str:
    """What a value is, in words; text is not repeated."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, datetime.date):
        return "a date"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "text"


def _place(mark: Any) -> Place:
    return Place(line=mark.line + 1, column=mark.column + 1)


def _character_place(text: str) -> Place:
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    before = text[: match.start()] if match else ""
    return Place(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))


# What PyYAML, with libyaml or without, says -> what is said instead (empty: the same) and the next step. Its words
# could repeat a secret.
_SYNTAX = {
    "found character": (
        "a tab or another character that can't begin a value",
        "indent with spaces, and quote text that begins with @, ` or %",
    ),
    "mapping values are not allowed": (
        "mapping values are not allowed in this context",
        "quote text that contains ': ', and check the indentation",
    ),
    "found unexpected end of stream": ("", "a quote is not closed"),
    "did not find expected": ("", "check brackets, commas, quotes and indentation here and above"),
    "expected ": ("something else belongs here", "check brackets, commas, quotes and indentation here and above"),
    "but found another document": ("a second document", "keep one document in the file, without another ---"),
    "could not determine a constructor": ("an unknown tag", "quote text that begins with !"),
    "found undefined alias": ("an undefined alias", "quote text that begins with *"),
    "this is read as a date": ("", "quote it"),
    "this is not what": ("a number, date or value with a tag that can't be read", "quote it"),
}


def _syntax(err: yaml.MarkedYAMLError, problems: Problems) -> None:
    mark = err.problem_mark or err.context_mark
    found = err.problem or err.context or "this can't be read"
    told, hint = next((told for start, told in _SYNTAX.items() if found.startswith(start)), ("", ""))
    problems.add(_place(mark) if mark else Place(line=1, column=1), f"YAML: {told or found}", hint=hint)
