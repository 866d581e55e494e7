"""Adding to a spec, and changing where it takes things from, as a person would: all else stays as it is written."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bundle.errors import FormatError
from schema.syntax.plain import composed, plain_documents

_ORDER = ("images", "charts", "files", "discovery", "install")  # of docs/spec.md: where a new list goes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An entry to add; an empty `target` leaves it to the source, an empty `platform` to the bundle."""

    name: str
    source: str
    target: str = ""
    platform: str = ""

    def to_dict(self) -> dict[str, str]:
        """As the spec has it."""
        optional = {"target": self.target, "platform": self.platform}
        return {"name": self.name, "source": self.source, **{key: text for key, text in optional.items() if text}}

    def __str__(self) -> str:
        return _line(self.to_dict())


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChart:
    """A chart to add."""

    name: str
    source: str
    version: str

    def to_dict(self) -> dict[str, str]:
        """As the spec has it."""
        return {"name": self.name, "source": self.source, "version": self.version}

    def __str__(self) -> str:
        return _line(self.to_dict())


_New = NewImage | NewChart


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """Where the entry called `name` is to come from, and the `target` that it is to have (empty: as it is)."""

    name: str
    source: str
    target: str = ""


def _line(entry: Mapping[str, str]) -> str:
    """One line of YAML, in flow form."""
    parts = [f"{key}: {value if key == 'name' else json.dumps(value)}" for key, value in entry.items()]
    return f"{{{', '.join(parts)}}}"


def add_images(text: str, new: Sequence[NewImage]) -> str:
    """The spec's text with these images at the end of its `images`, or as a new `images` at its usual place.

    A FormatError tells a text whose form can't be kept: nothing else than the new entries ever differs from before.
    """
    return _add(text, "images", new)


def add_charts(text: str, new: Sequence[NewChart]) -> str:
    """As add_images, for `charts`."""
    return _add(text, "charts", new)


def change_sources(text: str, key: str, new: Sequence[NewSource]) -> str:
    """The spec's text with other sources in these entries of the list `key`; targets are added where there is none.

    A FormatError tells a text whose form can't be kept.
    """
    root = _root(text)
    listed = _listed(root, key)
    wanted = {each.name: each for each in new}
    edits, found = [], set[str]()
    for entry in listed.value if isinstance(listed, yaml.SequenceNode) else ():
        members = {name.value: (name, value) for name, value in entry.value}
        change = wanted.get(members["name"][1].value) if "name" in members else None
        if change:
            found.add(change.name)
            name, source = members["source"]
            more = "" if "target" in members or not change.target else _member(text, root, entry, name, change.target)
            edits.append((source.start_mark.index, source.end_mark.index, json.dumps(change.source) + more))
    if absent := sorted(wanted.keys() - found):
        hint = "give them entries of their own, in the place of a list"
        raise FormatError(f"{', '.join(absent)}: no entry of {key!r} in the spec has this name", hint=hint)
    changed = text
    for start, end, written in sorted(edits, reverse=True):
        changed = changed[:start] + written + changed[end:]
    _check(text, changed, key, lambda entries: [_changed(each, wanted) for each in entries])
    return changed


def _member(text: str, root: yaml.MappingNode, entry: yaml.MappingNode, beside: yaml.Node, target: str) -> str:
    """A `target` that follows the source, in the form of its entry."""
    if entry.flow_style:
        return f', "target": {json.dumps(target)}' if root.flow_style else f", target: {json.dumps(target)}"
    return f"{_line_break(text)}{' ' * beside.start_mark.column}target: {json.dumps(target)}"


def _changed(entry: Mapping[str, Any], wanted: Mapping[str, NewSource]) -> dict[str, Any]:
    change = wanted.get(entry["name"])
    if change is None:
        return dict(entry)
    target = {"target": change.target} if change.target else {}
    return {**target, **entry, "source": change.source}


def _root(text: str) -> yaml.MappingNode:
    root = composed(text)
    if not isinstance(root, yaml.MappingNode):
        raise FormatError("the spec is no mapping")
    return root


def _listed(root: yaml.MappingNode, key: str) -> Any:
    return next((value for name, value in root.value if name.value == key), None)


def _add(text: str, key: str, new: Sequence[_New]) -> str:
    root = _root(text)
    listed = _listed(root, key)
    if root.flow_style:
        changed = _into_flow(text, root, key, new)
    elif listed is None or (isinstance(listed, yaml.SequenceNode) and not listed.value):
        changed = _as_block(text, root, key, new)
    elif listed.flow_style:
        changed = _insert(text, listed.value[-1].end_mark.index, "".join(f", {item}" for item in new))
    else:
        changed = _below(text, listed, new)
    _check(text, changed, key, lambda entries: [*entries, *(item.to_dict() for item in new)], new)
    return changed


def _into_flow(text: str, root: yaml.MappingNode, key: str, new: Sequence[_New]) -> str:
    """Into a spec that is written as JSON is."""
    items = ", ".join(json.dumps(item.to_dict()) for item in new)
    listed = _listed(root, key)
    if listed is None:
        return _insert(text, root.start_mark.index + 1, f'"{key}": [{items}], ')
    if not listed.value:
        return _insert(text, listed.start_mark.index + 1, items)
    return _insert(text, listed.value[-1].end_mark.index, f", {items}")


def _as_block(text: str, root: yaml.MappingNode, key: str, new: Sequence[_New]) -> str:
    """As a list of its own, in the place of an empty one."""
    line = _line_break(text)
    lines = f"{key}:{line}" + "".join(f"  - {item}{line}" for item in new)
    listed = _listed(root, key)
    if listed is not None:
        start = text.rindex(key, 0, listed.start_mark.index)
        return text[:start] + lines.removesuffix(line) + text[listed.end_mark.index :]
    for name, _ in root.value:
        if name.value in _ORDER[_ORDER.index(key) + 1 :]:
            return _insert(text, name.start_mark.index, lines)
    return text + ("" if text.endswith("\n") else line) + lines


def _below(text: str, listed: yaml.Node, new: Sequence[_New]) -> str:
    """After the last entry of a block, and after the comment on its line."""
    line = _line_break(text)
    indent = " " * listed.start_mark.column
    lines = "".join(f"{indent}- {item}{line}" for item in new)
    last = _end(listed.value[-1])
    at = last.index
    if last.column:
        at = text.find("\n", at) + 1
        if not at:
            return text + line + lines
    return _insert(text, at, lines)


def _end(node: yaml.Node) -> Any:
    """Where a node really ends: a block's own mark lies behind the comments that follow it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return node.end_mark
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _insert(text: str, at: int, more: str) -> str:
    return text[:at] + more + text[at:]


def _line_break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _check(
    before: str,
    after: str,
    key: str,
    change: Callable[[Sequence[Any]], Sequence[Any]],
    new: Sequence[_New] = (),
) -> None:
    """Refuse a result that says anything else than the same with this change: aliases and the like."""
    try:
        (old,), (now,) = plain_documents(before), plain_documents(after)
    except (FormatError, ValueError):
        old, now = {}, None
    if now != {**old, key: change(old.get(key) or ())}:
        lines = "".join(f"\n  - {item}" for item in new)
        what = "added to" if new else "changed"
        hint = f"add it by hand:{lines}" if new else "write its entries one in a line: - {name: ..., source: ...}"
        raise FormatError(f"the form of this spec's `{key}` is not one that can be {what}", hint=hint)
