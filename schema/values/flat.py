"""The values files of a carried bundle as single settings, so that two bundles can be compared key by key."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bundle.errors import FormatError
from bundle.metadata.names import INSTALL
from schema.syntax.document import Node, parse
from schema.syntax.problems import Problems
from schema.syntax.secrecy import sounds_secret
from schema.values.file import ValuesFile

HIDDEN = "(not shown)"


def flat_values(spec: Mapping[str, Any], read: Callable[[str], bytes]) -> Mapping[str, str]:
    """Every setting of the releases' values files by `FILE: KEY.KEY[0]`, as JSON; names stay unresolved.

    `spec` is the bundle's airgap.json, of any version of this program; `read` gives its files. What is written out
    where a secret belongs is not repeated. A file that can't be read as YAML is a FormatError.
    """
    found: dict[str, str] = {}
    for path in _files(spec):
        problems = Problems(path)
        root = parse(read(f"{INSTALL}/{path}"), problems, may_be_empty=True)
        if root is None or problems:
            raise FormatError(f"values file {path!r} can't be read", hint="; ".join(map(str, problems)))
        for key, node in _settings(root, ""):
            found[f"{path}: {key}"] = _shown(key, node.plain())
    return found


def shown_values(file: ValuesFile) -> Iterator[str]:
    """Every setting of a file as `KEY.KEY[0]: VALUE`, the value as JSON; names unresolved, secrets not repeated."""
    return (f"{key}: {_shown(key, node.plain())}" for key, node in _settings(file.root, ""))


def _files(spec: Mapping[str, Any]) -> list[str]:
    """The values files that a resolved spec names, each once: as paths, or as objects that say more of them."""
    releases = spec.get("install", {}).get("releases", [])
    named = [each for release in releases for each in release.get("values", [])]
    return list(dict.fromkeys(str(each["file"] if isinstance(each, Mapping) else each) for each in named))


def _settings(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """The scalars, and what is empty."""
    if node.members():
        for name, member in node.members().items():
            yield from _settings(member, f"{key}.{name}" if key else name)
    elif node.items():
        for index, entry in enumerate(node.items()):
            yield from _settings(entry, f"{key}[{index}]")
    elif key:
        yield key, node


def _shown(key: str, value: Any) -> str:
    hidden = isinstance(value, str) and value and "${" not in value and sounds_secret(key.rpartition(".")[2])
    return HIDDEN if hidden else json.dumps(value, ensure_ascii=False, default=str)
