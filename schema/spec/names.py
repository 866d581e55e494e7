"""Names and paths in a resolved spec, held against the schema's rules where neither YAML nor JSON Schema is at hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bundle.errors import FormatError
from bundle.formats.grammar import NameKind, parse_name
from bundle.storage.files import inside
from schema.spec.repeat import ITEM, LOWER

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
# What travels with a bundle is read below its `install/`. Other paths lead to the site's own files.
_PATHS = (("install.releases", "values", "file"), ("install.releases", "health", "ca"), ("install.checks", "", "ca"))
_REPEATED = ("namespace", "namespaces")  # may end in a suffix
_EMPTY = ("", None)  # a local chart takes the version that its Chart.yaml states


def check_names(data: Mapping[str, Any]) -> None:
    """A FormatError for the first name that the schema refuses; KeyError or TypeError where a part is not there."""
    parse_name(data["bundle"]["name"], "airgap.json: 'bundle.name'")
    parse_name(data["bundle"]["version"], "airgap.json: 'bundle.version'", "version")
    for place, rules in _LISTS:
        for index, item in enumerate(_at(data, place)):
            for key, kind in rules.items():
                for name in _each(item, key):
                    spelled = _one_of(name) if key in _REPEATED else name
                    parse_name(spelled, f"airgap.json: '{place}[{index}].{key}'", kind)


def check_paths(data: Mapping[str, Any]) -> None:
    """A FormatError for the first path of a carried file that leads out of where those lie; errors as for names."""
    for place, part, key in _PATHS:
        for index, item in enumerate(_at(data, place)):
            for each in item[part] if part else [item]:
                if (path := each.get(key)) not in _EMPTY:
                    _check_path(path, f"airgap.json: '{place}[{index}]{part and '.'}{part}.{key}'")


def _check_path(path: object, subject: str) -> None:
    try:
        inside(Path(), path if isinstance(path, str) else "")
    except FormatError as err:
        hint = "do not use it; make it anew"
        raise FormatError(f"{subject} is {ascii(path)[:100]}, expected a path below install/", hint=hint) from err


def _one_of(name: object) -> object:
    """A name as the first of those has it that it stands for."""
    return name.removesuffix(f"${{{ITEM}.{LOWER}}}") if isinstance(name, str) else name


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
