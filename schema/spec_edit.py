"""Adding images to a spec as a person would: comments, order and form of everything else stay as they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bundle.errors import FormatError

_BEFORE = ("charts", "files", "discovery", "install")  # where a new `images` goes, as in the order of docs/spec.md


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An entry to add; an empty `target` leaves it to the source."""

    name: str
    source: str
    target: str = ""

    def to_dict(self) -> dict[str, str]:
        """As the spec has it."""
        data = {"name": self.name, "source": self.source}
        return {**data, "target": self.target} if self.target else data

    def __str__(self) -> str:
        """One line of YAML, in flow form."""
        parts = [f"{key}: {value if key == 'name' else json.dumps(value)}" for key, value in self.to_dict().items()]
        return f"{{{', '.join(parts)}}}"


def add_images(text: str, new: Sequence[NewImage]) -> str:
    """The spec's text with these images at the end of its `images`, or as a new `images` at its usual place.

    A FormatError tells a text whose form can't be kept: nothing else than the new entries ever differs from before.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise FormatError("the spec is no mapping")
    listed = next((value for key, value in root.value if key.value == "images"), None)
    if root.flow_style:
        changed = _into_flow(text, root, listed, new)
    elif listed is None or (isinstance(listed, yaml.SequenceNode) and not listed.value):
        changed = _as_block(text, root, listed, new)
    elif listed.flow_style:
        changed = _insert(text, listed.value[-1].end_mark.index, "".join(f", {item}" for item in new))
    else:
        changed = _below(text, listed, new)
    _check(text, changed, new)
    return changed


def _into_flow(text: str, root: yaml.Node, listed: Any, new: Sequence[NewImage]) -> str:
    """Into a spec that is written as JSON is."""
    items = ", ".join(json.dumps(item.to_dict()) for item in new)
    if listed is None:
        return _insert(text, root.start_mark.index + 1, f'"images": [{items}], ')
    if not listed.value:
        return _insert(text, listed.start_mark.index + 1, items)
    return _insert(text, listed.value[-1].end_mark.index, f", {items}")


def _as_block(text: str, root: yaml.Node, listed: Any, new: Sequence[NewImage]) -> str:
    """As an `images` of its own, in the place of an empty one."""
    line = _line_break(text)
    lines = f"images:{line}" + "".join(f"  - {item}{line}" for item in new)
    if listed is not None:
        start = text.rindex("images", 0, listed.start_mark.index)
        return text[:start] + lines.removesuffix(line) + text[listed.end_mark.index :]
    for key, _ in root.value:
        if key.value in _BEFORE:
            return _insert(text, key.start_mark.index, lines)
    return text + ("" if text.endswith("\n") else line) + lines


def _below(text: str, listed: yaml.Node, new: Sequence[NewImage]) -> str:
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


def _check(before: str, after: str, new: Sequence[NewImage]) -> None:
    """Refuse a result that says anything else than the same with these images: aliases and the like."""
    try:
        old, now = yaml.safe_load(before), yaml.safe_load(after)
    except (yaml.YAMLError, ValueError):
        old, now = {}, None
    wanted = {**old, "images": [*(old.get("images") or ()), *(item.to_dict() for item in new)]}
    if now != wanted:
        lines = "\n".join(f"  - {item}" for item in new)
        raise FormatError(
            "the form of this spec's `images` is not one that can be added to", hint=f"add it by hand:\n{lines}"
        )
