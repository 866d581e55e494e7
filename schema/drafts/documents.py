"""The YAML files of other programs, read as plain data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundle.errors import FormatError
from schema.syntax.plain import plain_documents


def documents(text: str, name: str) -> Sequence[Mapping[str, Any]]:
    """The mappings among a file's documents; a FormatError where it is not YAML."""
    try:
        return [each for each in plain_documents(text) if isinstance(each, dict)]
    except FormatError as err:
        what = err.what.replace("no YAML", "not YAML", 1)
        raise FormatError(f"{name} is {what}", hint="check the file with a YAML linter") from err


def entries(data: object, *keys: str) -> Iterator[Mapping[str, Any]]:
    """The mappings of the list below these keys; nothing where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    yield from (each for each in (data if isinstance(data, list) else ()) if isinstance(each, dict))


def text_of(data: object, key: str) -> str:
    """A member of a mapping as text; empty where there is none."""
    value = data.get(key) if isinstance(data, dict) else None
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()
