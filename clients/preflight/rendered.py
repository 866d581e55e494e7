"""What a rendered chart consists of: the kinds of its objects, and the pull secrets that its pods name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bundle.errors import FormatError
from clients.preflight.cluster import ApiKind

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedObjects:
    """`kinds` and `pull_secrets` by namespace; objects that name none are in the release's."""

    kinds: Mapping[str, frozenset[ApiKind]]
    pull_secrets: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, text: str, *, namespace: str, subject: str) -> "RenderedObjects":
        """Read the YAML documents that `helm template` printed; a FormatError when they are none."""
        kinds: dict[str, set[ApiKind]] = {}
        secrets: dict[str, set[str]] = {}
        try:
            documents = list(yaml.load_all(text, Loader=_Loader))
        except yaml.YAMLError as err:
            raise FormatError(
                f"{subject}: what it renders is no YAML: {err}", hint="mend the chart or its values"
            ) from err
        for each in _objects(documents):
            place = (each.get("metadata") or {}).get("namespace") or namespace
            kind = ApiKind(api_version=str(each.get("apiVersion", "")), kind=str(each.get("kind", "")))
            kinds.setdefault(place, set()).add(kind)
            secrets.setdefault(place, set()).update(_pull_secrets(each))
        return cls(
            kinds={place: frozenset(found) for place, found in kinds.items()},
            pull_secrets={place: frozenset(found) for place, found in secrets.items() if found},
        )


def _objects(documents: list[Any]) -> Iterator[Mapping[str, Any]]:
    for each in documents:
        if (
            isinstance(each, dict)
            and str(each.get("kind", "")).endswith("List")
            and isinstance(each.get("items"), list)
        ):
            yield from _objects(each["items"])
        elif isinstance(each, dict) and each.get("kind"):
            yield each


def _pull_secrets(value: Any) -> Iterator[str]:
    """The names in every `imagePullSecrets`, wherever a pod's template stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "imagePullSecrets" and isinstance(item, list):
                yield from (str(one["name"]) for one in item if isinstance(one, dict) and one.get("name"))
            else:
                yield from _pull_secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pull_secrets(item)
