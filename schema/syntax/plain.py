"""YAML files of which no place is told: read as plain data, within bounds."""

from typing import Any

import yaml

from bundle.formats.node_budget import read_documents

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXTS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar stays the text it is


def plain_documents(text: str | bytes, *, loader: Any = _SAFE) -> list[Any]:
    """The documents of a stream; a FormatError in one line: no YAML, too deep, too large by aliases, no such date."""
    return read_documents(yaml, text, loader)


def composed(text: str) -> yaml.Node | None:
    """The nodes of the one document, with their marks; a FormatError as above."""
    plain_documents(text)
    return yaml.compose(text, Loader=yaml.SafeLoader)  # libyaml counts its marks in bytes
