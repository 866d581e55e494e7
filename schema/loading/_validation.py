"""The structure of a spec, checked with airgap.schema.json (JSON Schema 2020-12) and told in the spec's own words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bundle.formats import strict_json
from schema.syntax.document import Node, describe, trap
from schema.syntax.problems import Problems, did_you_mean, listed
from schema.syntax.secrecy import hide_login, sounds_secret

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA_FILE = Path(__file__).parents[1] / "airgap.schema.json"

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
# Taken where the top of a spec lacks something, so that the rest can still be checked.
_STAND_INS: dict[str, Any] = {
    "version": 1,
    "bundle": {"name": "unnamed", "version": "0"},
    "registry": {"prefix": "registry.invalid"},
}

Steps = tuple[str | int, ...]


def fingerprint(root: Node) -> str:
    """Names a document and the schema it is checked with: equal fingerprints have equal verdicts."""
    data = json.dumps(root.plain(), default=repr, separators=(",", ":")).encode()
    return hashlib.sha256(SCHEMA_FILE.read_bytes() + b"\0" + data).hexdigest()


def validate(root: Node, problems: Problems) -> Node | None:
    """Check the structure; findings go to `problems`.

    Returns the document without its faulty parts, which satisfies the schema and can be checked further; None when it
    is not even a mapping.
    """
    faults = _faults(root)
    for fault in faults:
        _TELL[fault.keyword](fault, _at(root, fault.steps), problems)
    for cut in [cut for fault in faults for cut in _cuts(fault)]:
        for end in range(len(cut)):
            problems.settle(_at(root, cut[:end]).place)  # what it lacks from now on, it may only have lost
    while faults:
        cuts = {cut for fault in faults for cut in _cuts(fault)}
        if not isinstance(root.value, dict):
            return None
        if () in cuts:
            missing = {name: value for name, value in _STAND_INS.items() if name not in root.value}
            added = {name: _node(value, root) for name, value in missing.items()}
            root = replace(root, value={**root.value, **added})
            cuts.discard(())
        root = _without(root, (), cuts)
        faults = _faults(root)
    return root


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - takes 100 ms, and most runs need no validation

    return Draft202012Validator(strict_json.loads(SCHEMA_FILE.read_bytes()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """What the library found: at `steps`, `keyword` of `schema` asks for `wanted` and `found` is not that.

    `of_key`: `found` is a key of the mapping at `steps`.
    """

    steps: Steps
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    found: Any
    of_key: bool

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        return subject(self.steps)

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return self.schema.get("writeOnly") is True or sounds_secret(str(self.steps[-1] if self.steps else ""))


def _faults(root: Node) -> list[_Fault]:
    return [
        _Fault(
            steps=tuple(error.absolute_path),
            keyword=str(error.validator),
            wanted=error.validator_value,
            schema=cast("Mapping[str, Any]", error.schema),
            found=error.instance,
            of_key="propertyNames" in error.absolute_schema_path,
        )
        for error in _validator().iter_errors(root.plain())
    ]


def _at(root: Node, path: Iterable[str | int]) -> Node:
    for step in path:
        root = root.items()[step] if isinstance(step, int) else root.members()[step]
    return root


def _cuts(fault: _Fault) -> list[Steps]:
    """The paths to leave out so that the fault goes away."""
    if fault.keyword == "additionalProperties":
        return [(*fault.steps, name) for name in _unknown(fault)]
    return [(*fault.steps, fault.found)] if fault.of_key else [fault.steps]


def _without(node: Node, path: Steps, cuts: set[Steps]) -> Node:
    if isinstance(node.value, dict):
        members = {n: _without(v, (*path, n), cuts) for n, v in node.value.items() if (*path, n) not in cuts}
        return replace(node, value=members)
    if isinstance(node.value, list):
        entries = [_without(v, (*path, i), cuts) for i, v in enumerate(node.value) if (*path, i) not in cuts]
        return replace(node, value=entries)
    return node


def _node(value: Any, like: Node) -> Node:
    if isinstance(value, dict):
        value = {name: _node(item, like) for name, item in value.items()}
    return Node(place=like.place, key=None, value=value)


def _unknown(fault: _Fault) -> list[str]:
    return [name for name in fault.found if name not in fault.schema["properties"]]


def subject(path: Sequence[str | int]) -> str:
    """What a path of keys and indices points at, in words."""
    if not path:
        return "the spec"
    if isinstance(path[-1], str):
        return repr(path[-1])
    return f"entry {path[-1] + 1} of {subject(path[:-1])}"


def _shown(fault: _Fault) -> str:
    """The value, long text cut, without a login in an address."""
    if not isinstance(fault.found, str):
        return describe(fault.found)
    value = hide_login(fault.found)
    return repr(value if len(value) <= 80 else value[:77] + "...")


def _tell_type(fault: _Fault, node: Node, problems: Problems) -> None:
    wanted = fault.wanted if isinstance(fault.wanted, list) else [fault.wanted]
    hint = trap(node) if "string" in wanted else ""
    if fault.secret:
        kinds = ", ".join(_TYPES[kind] for kind in wanted)
        problems.add(node.place, f"{fault.subject} is something else", expected=str(fault.schema.get("title", kinds)))
        return
    if fault.found is None:
        hint = "give it a value, or leave the key out"
    elif isinstance(fault.found, str) and wanted == ["boolean"]:
        hint = "write it without quotes"
    elif "string" in wanted and isinstance(fault.found, int) and not node.text:
        hint = "it comes from a variable: write that in quotes"
    expected = ", ".join(_TYPES[kind] for kind in wanted)
    problems.add(node.place, f"{fault.subject} is {_shown(fault)}", expected=expected, hint=hint)


def _tell_unknown(fault: _Fault, node: Node, problems: Problems) -> None:
    known = fault.schema["properties"]
    for name in _unknown(fault):
        child = node.members()[name]
        guess = did_you_mean(name, known)
        expected = "" if guess else listed(known)
        problems.add(child.key or child.place, f"unknown key {name!r}", expected=expected, hint=guess)


def _tell_required(fault: _Fault, node: Node, problems: Problems) -> None:
    known = fault.schema.get("properties", {})
    guessed = {did_you_mean(name, known) for name in fault.found if name not in known}
    missing = [name for name in fault.wanted if name not in fault.found]
    told = [repr(name) for name in missing if did_you_mean(name, [name]) not in guessed]
    if told:
        problems.add(node.place, f"{fault.subject} is missing {' and '.join(told)}")


def _tell_enum(fault: _Fault, node: Node, problems: Problems) -> None:
    known = [_written(value) for value in fault.wanted]
    hint = did_you_mean(fault.found, known) if isinstance(fault.found, str) else trap(node)
    problems.add(node.place, f"{fault.subject} is {_shown(fault)}", expected=listed(known), hint=hint)


def _tell_const(fault: _Fault, node: Node, problems: Problems) -> None:
    problems.add(node.place, f"{fault.subject} is {_shown(fault)}", expected=_written(fault.wanted))


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tell_pattern(fault: _Fault, node: Node, problems: Problems) -> None:
    expected = str(fault.schema["title"])
    if fault.of_key:
        child = node.members()[fault.found]
        problems.add(child.key or child.place, f"key {fault.found!r}", expected=expected)
    else:
        problems.add(node.place, f"{fault.subject} is {_shown(fault)}", expected=expected)


def _tell_empty(fault: _Fault, node: Node, problems: Problems) -> None:
    problems.add(node.place, f"{fault.subject} is empty")


def _tell_unique(fault: _Fault, node: Node, problems: Problems) -> None:
    seen: set[object] = set()
    for item in node.items():
        value = str(item.plain())
        if value in seen:
            problems.add(item.place, f"{fault.subject} lists {value!r} twice")
        seen.add(value)


def _tell_range(fault: _Fault, node: Node, problems: Problems) -> None:
    low, high = fault.schema.get("minimum"), fault.schema.get("maximum")
    expected = f"{low} to {high}" if high is not None else f"{low} or more"
    problems.add(node.place, f"{fault.subject} is {_shown(fault)}", expected=expected)


def _tell_one_of(fault: _Fault, node: Node, problems: Problems) -> None:
    if not isinstance(fault.found, dict):
        return  # its type is told
    kinds = [branch["required"][0] for branch in fault.wanted]
    present = [kind for kind in kinds if kind in fault.found]
    what = f"{fault.subject} has {' and '.join(present) or 'none'} of these"
    guess = next(filter(None, (did_you_mean(name, kinds) for name in fault.found if name not in kinds)), "")
    if present or not guess:
        problems.add(node.place, what, expected=f"exactly one of: {', '.join(kinds)}")


_TELL: dict[str, Callable[[_Fault, Node, Problems], None]] = {
    "type": _tell_type,
    "additionalProperties": _tell_unknown,
    "required": _tell_required,
    "enum": _tell_enum,
    "const": _tell_const,
    "pattern": _tell_pattern,
    "minLength": _tell_empty,
    "minItems": _tell_empty,
    "minProperties": _tell_empty,
    "uniqueItems": _tell_unique,
    "minimum": _tell_range,
    "maximum": _tell_range,
    "oneOf": _tell_one_of,
}
