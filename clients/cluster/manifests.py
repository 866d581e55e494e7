"""Objects of Kubernetes in YAML, read as Kubernetes reads them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import yaml

from bundle.errors import FormatError
from clients.charts.documents import documents

Manifest = dict[str, Any]

_OTHERWISE = {"timestamp", "value", "int", "float"}  # what Go's YAML reads in its own way
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_WHOLE = re.compile(r"[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """What looks like a date is a text, as in JSON, and so are `22:22` and a lone `=`; `1e+06` is a number."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _OTHERWISE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _number(loader: Any, node: Any) -> float:
    found: float = loader.construct_yaml_float(node)
    return int(found) if "." not in node.value and found.is_integer() else found


_Loader.add_implicit_resolver(_INT, _WHOLE, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, _REAL, list("-+.0123456789"))
_Loader.add_constructor(_FLOAT, _number)


def manifests(text: str, *, subject: str) -> tuple[Manifest, ...]:
    """The objects of a stream of YAML documents, also those in Lists; a FormatError when it is none."""
    try:
        found = documents(text, loader=_Loader)
    except FormatError as err:
        hint = "correct the chart or its values"
        raise FormatError(f"{subject}: what it renders is {err.what}", hint=hint) from err
    return tuple(_objects(found))


def name_of(manifest: Manifest) -> str:
    """The object's name; empty where it has none."""
    metadata = manifest.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""


def _objects(found: Iterable[Any]) -> Iterator[Manifest]:
    for each in found:
        if not isinstance(each, dict):
            continue
        if str(each.get("kind", "")).endswith("List") and isinstance(each.get("items"), list):
            yield from _objects(each["items"])
        elif each.get("kind"):
            yield each
