"""Objects of Kubernetes in YAML, read as Kubernetes reads them."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import yaml

from bundle.errors import FormatError
from clients.charts.documents import documents

Manifest = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """What looks like a date is a text, as in JSON."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def manifests(text: str, *, subject: str) -> tuple[Manifest, ...]:
    """The objects of a stream of YAML documents, also those in Lists; a FormatError when it is none."""
    try:
        found = documents(text, loader=_Loader)
    except FormatError as err:
        hint = "correct the chart or its values"
        raise FormatError(f"{subject}: what it renders is {err.what}", hint=hint) from err
    return tuple(_objects(found))


def _objects(found: Iterable[Any]) -> Iterator[Manifest]:
    for each in found:
        if not isinstance(each, dict):
            continue
        if str(each.get("kind", "")).endswith("List") and isinstance(each.get("items"), list):
            yield from _objects(each["items"])
        elif each.get("kind"):
            yield each
