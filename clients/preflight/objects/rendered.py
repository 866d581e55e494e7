"""What a rendered chart consists of: the kinds of its objects, and the pull secrets that its pods name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clients.cluster.crds import Crd, crds_of, split_crds
from clients.cluster.manifests import manifests
from clients.preflight.needs import ApiKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedObjects:
    """`kinds` and `pull_secrets` by namespace; objects that name none are in the release's.

    `objects` are all of them, as they are written. `defines` are the kinds of its CustomResourceDefinitions, each with
    the resource that the API will list for it; `crds` are those of files in crds/.
    """

    kinds: Mapping[str, frozenset[ApiKind]]
    pull_secrets: Mapping[str, frozenset[str]]
    defines: Mapping[ApiKind, Mapping[str, Any]]
    objects: Sequence[Mapping[str, Any]] = ()
    crds: Sequence[Crd] = ()

    @classmethod
    def read(cls, text: str, *, namespace: str, subject: str) -> "RenderedObjects":
        """Read the YAML documents that `helm template` printed; a FormatError when they are none."""
        kinds: dict[str, set[ApiKind]] = {}
        secrets: dict[str, set[str]] = {}
        defines: dict[ApiKind, Mapping[str, Any]] = {}
        files, templates = split_crds(text)
        own = manifests(files, subject=subject)
        objects = (*own, *manifests(templates, subject=subject))
        for each in objects:
            metadata = each.get("metadata")
            place = str((metadata.get("namespace") if isinstance(metadata, dict) else "") or namespace)
            kind = ApiKind(api_version=str(each.get("apiVersion", "")), kind=str(each.get("kind", "")))
            kinds.setdefault(place, set()).add(kind)
            secrets.setdefault(place, set()).update(_pull_secrets(each))
            defines |= dict(_defined(each))
        return cls(
            kinds={place: frozenset(found) for place, found in kinds.items()},
            pull_secrets={place: frozenset(found) for place, found in secrets.items() if found},
            defines=defines,
            objects=objects,
            crds=crds_of(own),
        )


def _defined(thing: Mapping[str, Any]) -> Iterator[tuple[ApiKind, Mapping[str, Any]]]:
    """What an object defines when it is a CustomResourceDefinition (apiextensions.k8s.io/v1)."""
    spec = thing.get("spec")
    if thing.get("kind") != "CustomResourceDefinition" or not isinstance(spec, dict):
        return
    names, versions = spec.get("names"), spec.get("versions")
    if not isinstance(names, dict) or not isinstance(versions, list):
        return
    resource = {"name": str(names.get("plural", "")), "namespaced": spec.get("scope") != "Cluster"}
    for each in versions:
        if isinstance(each, dict) and each.get("served") is not False:
            version = f"{spec.get('group', '')}/{each.get('name', '')}"
            yield ApiKind(api_version=version, kind=str(names.get("kind", ""))), resource


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
