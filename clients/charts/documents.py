"""YAML from charts and clusters: read with a bound on what aliases make of it, and on how deep it is."""

from typing import Any

import yaml

from bundle.formats.node_budget import read_documents

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXTS: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar stays the text it is


def documents(text: str | bytes, *, loader: Any = _SAFE) -> list[Any]:
    """The documents of a stream, made by a loader of PyYAML that is safe.

    A FormatError says in one line what is wrong: no YAML, nested too deeply, made too large by aliases, a date or a
    number that is none.
    """
    return read_documents(yaml, text, loader)
