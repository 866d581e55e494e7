"""YAML files of which no place is told: read as plain data, within bounds."""

from typing import Any

import yaml

from bundle.errors import FormatError
from bundle.formats.node_budget import NOT_MADE, load_all

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXTS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar stays the text it is


def plain_documents(text: str | bytes, *, loader: Any = _SAFE) -> list[Any]:
    """The documents of a stream; a FormatError in one line: no YAML, too deep, too large by aliases, no such date."""
    try:
        return load_all(yaml, text, loader)
    except (yaml.YAMLError, *NOT_MADE) as err:
        raise FormatError(f"no YAML: {' '.join(str(err).split())[:400]}") from err


def composed(text: str) -> yaml.Node | None:
    """The nodes of the one document, with their marks; a FormatError as above."""
    plain_documents(text)
    return yaml.compose(text, Loader=yaml.SafeLoader)  # libyaml counts its marks in bytes
