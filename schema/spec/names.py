"""Names in a resolved spec, held against the rules of the schema where neither YAML nor JSON Schema is at hand."""

from collections.abc import Iterator, Mapping
from typing import Any

from bundle.formats.grammar import NameKind, parse_name

_LISTS: tuple[tuple[str, Mapping[str, NameKind]], ...] = (
    ("images", {"name": "name", "base": "name"}),
    ("charts", {"name": "name", "version": "version", "images": "name"}),
    ("files", {"name": "name"}),
    ("install.secrets", {"name": "label", "namespaces": "label"}),
    (
        "install.releases",
        {"name": "release", "chart": "name", "namespace": "label", "after": "label", "needs": "label"},
    ),
    ("install.actions", {"name": "label", "after": "label"}),
    ("install.backup.commands", {"name": "name"}),
)
_EMPTY = ("", None)  # a local chart takes the version that its Chart.yaml states


def check_names(data: Mapping[str, Any]) -> None:
    """A FormatError for the first name that the schema refuses; KeyError or TypeError where a part is not there."""
    parse_name(data["bundle"]["name"], "airgap.json: 'bundle.name'")
    parse_name(data["bundle"]["version"], "airgap.json: 'bundle.version'", "version")
    for place, rules in _LISTS:
        for index, item in enumerate(_at(data, place)):
            for key, kind in rules.items():
                for name in _each(item, key):
                    parse_name(name, f"airgap.json: '{place}[{index}].{key}'", kind)


def _at(data: Mapping[str, Any], place: str) -> Any:
    found: Any = data
    for key in place.split("."):
        found = found[key]
    return found


def _each(item: Mapping[str, Any], key: str) -> Iterator[object]:
    found = item.get(key)
    if found in _EMPTY:
        return
    yield from found if isinstance(found, list) else [found]
