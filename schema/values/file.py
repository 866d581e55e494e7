"""Values files: YAML with places, read to what Helm reads from it (sigs.k8s.io/yaml), `${...}` not yet resolved."""

import datetime
import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from bundle.errors import FormatError, storage_errors
from schema.spec.repeat import Instance
from schema.syntax import template
from schema.syntax.document import Node, Scalar, describe, read
from schema.syntax.problems import Place, Problems
from schema.syntax.secrecy import hiding_places
from schema.syntax.template import Name

Lookup = Callable[[Name], Any]  # what a name stands for, scalar or not; FormatError where there is nothing

# Where PyYAML and Helm's YAML read a plain scalar differently, Helm's reading counts.
_BOOLEANS = {"y": True, "Y": True, "n": False, "N": False}
_OCTAL = re.compile(r"[-+]?0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesFile:
    """One values file: `label` is how messages name it, `root` is always a mapping.

    `filled` says that `${item...}` was put in, for one item of a list.
    """

    label: str
    root: Node
    filled: bool = False

    def below(self, key: str) -> Self:
        """The same values below `key`; where that is empty, as they are."""
        return replace(self, root=replace(self.root, value={key: self.root})) if key else self

    def of(self, instance: Instance | None) -> Self:
        """The same values for one item of a list."""
        return replace(self, root=_filled(self.root, instance), filled=True) if instance and not self.filled else self

    def names(self) -> Iterator[tuple[Node, Name]]:
        """Every `${...}` with the scalar that holds it."""
        for node in _scalars(self.root):
            if isinstance(node.value, str) and "${" in node.value:
                for name in template.names(template.parse(node.value)):
                    yield node, name

    def resolved(self, lookup: Lookup, problems: Problems) -> Node:
        """The values with names resolved, types kept; findings go to `problems`, and what they are about stays."""
        return _resolved(self.root, lookup, problems)


def read_values(path: Path, label: str, problems: Problems) -> ValuesFile | None:
    """Read one file; None when there is nothing to go on with. Findings go to `problems`.

    An empty file holds no values, as with Helm. A file that can't be read is a StorageError.
    """
    with storage_errors("read values", path):
        root = read(path, problems, may_be_empty=True)
    if root is None:
        return None
    if root.value is not None and not isinstance(root.value, dict):
        problems.add(root.place, f"the file is {describe(root.value)}", expected="a mapping")
        return None
    return values_of(root, label, problems)


def values_of(node: Node, label: str, problems: Problems) -> ValuesFile:
    """The values in a mapping, or in nothing, that was read with its places; findings go to `problems`."""
    return ValuesFile(
        label=label, root=_checked(replace(node, value=node.members()), problems, frozenset(hiding_places(node)))
    )


def helm_scalar(node: Node, problems: Problems) -> Scalar:
    """A scalar as Helm's YAML reads it: no dates and no numbers of base 60, but `y`, `1e3` and `0o17`.

    What has no form in JSON is noted.
    """
    value, text = node.value, node.text
    plain = text.replace("_", "") if isinstance(value, str) else ""
    if _FLOAT.fullmatch(plain):
        value = float(plain)
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        problems.add(node.place, f"{text or 'binary data'} can't be given to Helm", hint="write it in quotes")
        return text
    if isinstance(value, datetime.date) or (isinstance(value, int | float) and ":" in text):
        return text
    if not isinstance(value, str) or not text:
        return cast("Scalar", value)
    if _OCTAL.fullmatch(plain):
        return int(plain, 8)
    return _BOOLEANS.get(text, value)


def node_of(value: Any, like: Node) -> Node:
    """Plain data as nodes, all at the place of `like`."""
    if isinstance(value, dict):
        value = {name: node_of(item, like) for name, item in value.items()}
    elif isinstance(value, list):
        value = [node_of(item, like) for item in value]
    return Node(place=like.place, key=like.key, value=value)


def _checked(node: Node, problems: Problems, hidden: Collection[Place]) -> Node:
    """The node with scalars as Helm reads them, what can't be handed to Helm noted; names are not repeated at `hidden`
    places.
    """
    if isinstance(node.value, dict):
        for name, member in node.value.items():
            if "${" in name:
                hint = "names are resolved in values only"
                problems.add(member.key or member.place, "a key that holds ${", hint=hint)
        return replace(node, value={name: _checked(item, problems, hidden) for name, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[_checked(item, problems, hidden) for item in node.value])
    value = helm_scalar(node, problems)
    if isinstance(value, str) and "${" in value:
        try:
            template.parse(value, is_open=node.place not in hidden)
        except FormatError as err:
            problems.add(node.place, err.what, hint=err.hint)
            value = template.escape(value)
    return replace(node, value=value)


def _filled(node: Node, instance: Instance) -> Node:
    if isinstance(node.value, dict):
        return replace(node, value={key: _filled(item, instance) for key, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[_filled(item, instance) for item in node.value])
    return replace(node, value=instance.filled(node.value)) if isinstance(node.value, str) else node


def _resolved(node: Node, lookup: Lookup, problems: Problems) -> Node:
    if isinstance(node.value, dict):
        return replace(node, value={key: _resolved(item, lookup, problems) for key, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[_resolved(item, lookup, problems) for item in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    pieces = template.parse(node.value)
    found: dict[Name, Any] = {}
    whole = True
    for name in (piece for piece in pieces if isinstance(piece, Name)):
        try:
            whole_value = pieces == (name.plain,) or name.encoding == "json"
            found[name.plain] = _fitting(lookup(name.plain), name, alone=whole_value)
        except FormatError as err:
            problems.add(node.place, err.what, hint=err.hint)
            whole = False
    return node_of(template.render(pieces, found.__getitem__), node) if whole else node


def _fitting(value: Any, name: Name, *, alone: bool) -> Any:
    if isinstance(value, dict | list) and not alone:
        raise FormatError(f"{name} is {describe(value)}", hint="it can only stand alone, not inside a text")
    return value


def _scalars(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict | list):
        for child in (*node.members().values(), *node.items()):
            yield from _scalars(child)
    else:
        yield node
