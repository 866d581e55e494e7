"""CustomResourceDefinitions (apiextensions.k8s.io/v1): those of charts' crds/, and live ones."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from bundle.errors import ClusterError
from bundle.formats.json_path import KeyPath, place_text
from clients.cluster.errors import cluster_error
from clients.cluster.kubectl import FIELD_MANAGER, Kubectl, documents

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_SOURCE = re.compile(r"^# Source: \S+?/(crds|templates)/", re.M)
_MANAGER = re.compile(r'conflicts? with "([^"]+)"')
_OWN = ("helm", "kubectl", FIELD_MANAGER, "before-first-apply")  # who brings in a chart's CRDs, for charts
_ALWAYS = ("apiVersion", "kind", "metadata")  # what every object has
_SHOWN = 6  # fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Crd:
    """One definition, as it is written; `spec` is taken apart only as far as it is needed."""

    data: Mapping[str, Any]

    @classmethod
    def read(cls, thing: Any) -> Self | None:
        """The definition that an object is; None for any other object."""
        if not isinstance(thing, dict) or thing.get("kind") != "CustomResourceDefinition":
            return None
        good = isinstance(thing.get("metadata"), dict) and isinstance(thing.get("spec"), dict)
        return cls(data=thing) if good and isinstance(thing["spec"].get("versions"), list) else None

    @property
    def name(self) -> str:
        """PLURAL.GROUP."""
        return str(self.data["metadata"].get("name"))

    @property
    def group(self) -> str:
        """The API group of its objects."""
        return str(self.data["spec"].get("group"))

    @property
    def kind(self) -> str:
        """The kind of its objects."""
        return str((self.data["spec"].get("names") or {}).get("kind"))

    @property
    def versions(self) -> Mapping[str, Mapping[str, Any]]:
        """All its versions by name, also those that are not served."""
        return {str(each.get("name")): each for each in self.data["spec"]["versions"] if isinstance(each, dict)}

    @property
    def served(self) -> tuple[str, ...]:
        """The versions that the API answers to, that in which objects are stored first."""
        names = [name for name, each in self.versions.items() if each.get("served") is not False]
        return tuple(sorted(names, key=lambda name: not self.versions[name].get("storage")))

    @property
    def stored(self) -> tuple[str, ...]:
        """The versions in which objects may be stored now (status.storedVersions of a live one)."""
        return tuple((self.data.get("status") or {}).get("storedVersions") or ())

    def schema(self, version: str) -> Mapping[str, Any]:
        """The OpenAPI schema of a version's objects."""
        found = (self.versions.get(version, {}).get("schema") or {}).get("openAPIV3Schema")
        return found if isinstance(found, dict) else {"x-kubernetes-preserve-unknown-fields": True}

    def unknown_fields(self, thing: Mapping[str, Any], version: str) -> tuple[str, ...]:
        """The fields of an object that the API server drops, because the schema of this version lacks them."""
        if self.data["spec"].get("preserveUnknownFields"):
            return ()
        return tuple(place_text(path) for path in _unknown(thing, self.schema(version), (), embedded=True))


def split_crds(rendered: str) -> tuple[str, str]:
    """What `helm template --include-crds` says, as the files of crds/ (of subcharts, too), and the rest.

    Definitions that are templates are in the rest: helm upgrades them.
    """
    parts: dict[str, list[str]] = {"crds": [], "templates": []}
    place = "templates"
    for text in re.split(r"^---[ \t]*$", rendered, flags=re.M):
        if source := _SOURCE.search(text):
            place = source[1]
        parts[place].append(text)
    return "---\n".join(parts["crds"]), "---\n".join(parts["templates"])


def crds_of(things: Iterable[Any]) -> tuple[Crd, ...]:
    """The definitions among these objects, each name once."""
    found: dict[str, Crd] = {}
    for thing in things:
        if read := Crd.read(thing):
            found.setdefault(read.name, read)
    return tuple(found.values())


def live_crds(kubectl: Kubectl, names: Iterable[str]) -> Mapping[str, Crd]:
    """Those of these definitions that the cluster has, by name."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    subject = f"the CustomResourceDefinitions {', '.join(wanted[:3])}{'...' if len(wanted) > 3 else ''}"
    done = kubectl.run(["get", CRDS, *wanted, "--ignore-not-found", "--output=json"], subject=subject)
    if done.code:
        raise cluster_error(done.stderr, subject=subject)
    items = [item for answer in documents(done, subject) for item in answer.get("items", [answer])]
    return {found.name: found for item in items if (found := Crd.read(item))}


def apply_crd(kubectl: Kubectl, crd: Crd, *, dry_run: bool) -> tuple[str, ...]:
    """Bring a definition in by server-side apply; the field managers that it was taken from, by name.

    Those that helm, kubectl or we have set are the chart's to change. A ClusterError of the reason `conflict` names
    any other manager: it would set them back. Unless `dry_run`, it is waited for that its API answers.
    """
    subject = f"CRD {crd.name}"
    argv = ["apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--validate=false", "--filename=-"]
    argv += ["--output=name", *(["--dry-run=server"] if dry_run else [])]
    done = kubectl.run(argv, subject=subject, objects=[crd.data])
    managers = tuple(dict.fromkeys(_MANAGER.findall(done.stderr))) if done.code else ()
    if foreign := [name for name in managers if not name.lower().startswith(_OWN)]:
        raise ClusterError(
            f"{subject} can't be upgraded: {', '.join(map(repr, foreign))} manages fields that the chart changes",
            reason="conflict",
            hint=f"let {foreign[0]} bring in the chart's CRDs, or take them from it: kubectl apply --server-side "
            "--force-conflicts; see: kubectl get crd "
            f"{crd.name} --show-managed-fields --output yaml",
        )
    if managers:
        done = kubectl.run([*argv, "--force-conflicts"], subject=subject, objects=[crd.data])
    if done.code == 0 and not dry_run:
        argv = ["wait", "--for=condition=Established", f"{CRDS}/{crd.name}", "--timeout=30s"]
        done = kubectl.run(argv, subject=subject)
    if done.code:
        raise cluster_error(done.stderr, subject=subject)
    return managers


def same(one: Crd, other: Crd) -> bool:
    """Whether two definitions say the same, however they are written and whatever the API server fills in."""
    return _normal(one, texts=True) == _normal(other, texts=True)


def differences(new: Crd, old: Crd) -> tuple[str, ...]:
    """How `new` differs from `old` in what objects may hold, in words; nothing for texts only."""
    if _normal(new, texts=False) == _normal(old, texts=False):
        return ()
    added = [f"version {name}" for name in new.versions if name not in old.versions]
    gone = [f"version {name}" for name in old.versions if name not in new.versions]
    for name in new.versions.keys() & old.versions.keys():
        many = f" ({name})" if len(new.versions) > 1 else ""
        added += [f"{place}{many}" for place in _more(new.schema(name), old.schema(name))]
        gone += [f"{place}{many}" for place in _more(old.schema(name), new.schema(name))]
    told = [f"{word} {_some(places)}" for word, places in (("adds", added), ("drops", gone)) if places]
    return tuple(told) or ("changes what it accepts",)


def dropped_fields(new: Crd, old: Crd) -> bool:
    """Whether objects may have a field, or a version, that `new` lacks."""
    if set(old.served) - set(new.served):
        return True
    return any(next(iter(_more(old.schema(name), new.schema(name))), "") for name in old.served)


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(sorted(places)[:_SHOWN]) + more


def _unknown(value: Any, schema: Mapping[str, Any], at: KeyPath, *, embedded: bool = False) -> Iterator[KeyPath]:
    """Pruning as the API server does it (structural schemas)."""
    if isinstance(value, list):
        items = schema.get("items")
        for index, item in enumerate(value):
            yield from _unknown(item, items if isinstance(items, dict) else {}, (*at, index))
    if not isinstance(value, dict):
        return
    known, more = schema.get("properties") or {}, schema.get("additionalProperties")
    embedded = embedded or bool(schema.get("x-kubernetes-embedded-resource"))
    for key, item in value.items():
        if item is None or (embedded and key in _ALWAYS):
            continue
        inner = known.get(key, more)
        if isinstance(inner, dict):
            yield from _unknown(item, inner, (*at, key))
        elif not inner and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield (*at, key)


def _more(one: Mapping[str, Any], other: Mapping[str, Any], at: KeyPath = ()) -> Iterator[str]:
    """The fields of one schema that another lacks, the topmost ones; a list's items are its own place."""
    known, there = one.get("properties") or {}, other.get("properties") or {}
    open_ended = other.get("additionalProperties") or other.get("x-kubernetes-preserve-unknown-fields")
    for key, schema in known.items():
        if key in there:
            yield from _more(schema, there[key], (*at, key))
        elif not open_ended:
            yield place_text((*at, key))
    for part in ("items", "additionalProperties"):
        if isinstance(one.get(part), dict) and isinstance(other.get(part), dict):
            yield from _more(one[part], other[part], at)


def _normal(crd: Crd, *, texts: bool) -> Mapping[str, Any]:
    """The spec without what the API server fills in, and without what says nothing."""
    spec = {**crd.data["spec"]}
    names = {**(spec.get("names") or {})}
    filled = {"listKind": f"{crd.kind}List", "singular": crd.kind.lower()}
    spec["names"] = {key: value for key, value in names.items() if filled.get(key) != value}
    conversion = spec.get("conversion")
    if isinstance(conversion, dict) and conversion.get("strategy") == "None":
        del spec["conversion"]
    spec["versions"] = sorted(spec["versions"], key=lambda each: str(each.get("name")))
    return {"spec": _pruned(spec, texts=texts)}


def _pruned(value: Any, *, texts: bool, names: bool = False) -> Any:
    """Without members that are empty; `names`: the keys are the names of fields, and say something by themselves."""
    inner = partial(_pruned, texts=texts)
    if isinstance(value, list):
        return [inner(each) for each in value]
    if not isinstance(value, dict):
        return value
    if names:
        return {key: inner(each) for key, each in value.items()}
    kept = {
        key: each if key in ("default", "enum", "example") else inner(each, names=key == "properties")
        for key, each in value.items()
        if texts or key != "description"
    }
    return {key: each for key, each in kept.items() if key == "default" or each not in (None, False, "", [], {})}
