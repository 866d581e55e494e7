"""The values of one release: its files resolved and merged as Helm merges `-f` files, and the place of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundle.errors import FormatError
from schema.spec.install import ReleaseSpec, ValuesSpec
from schema.syntax.condition import holds
from schema.syntax.document import Node
from schema.syntax.problems import Problems, raise_together
from schema.values.file import Lookup, ValuesFile

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Merged values, which may hold secrets, so they are in no repr. `places` is `file:line` by key path."""

    data: Mapping[str, Any] = field(repr=False)
    places: Mapping[KeyPath, str] = field(repr=False)


def resolve(files: Sequence[ValuesFile], lookup: Lookup, *, subject: str) -> Values:
    """What the files say together, later ones winning; a SpecError lists every name that could not be resolved.

    Mappings are merged, all else is replaced. A null stays null: it is Helm that then takes the chart's default away,
    and leaving it out would bring that back.
    """
    found = [(file, Problems(file.label)) for file in files]
    trees = [(file.label, file.resolved(lookup, problems)) for file, problems in found]
    raise_together((problems for _, problems in found), subject)
    return merge(trees)


def release_values(
    release: ReleaseSpec,
    files: Mapping[Path, ValuesFile],
    lookup: Lookup,
    overrides: Mapping[str, ValuesFile] | None = None,
) -> Values:
    """The values of a release: those of its files that count, each below its key, and last the site's overrides."""
    placed = [files[item.file].below(item.under) for item in release.values if counts(item, lookup)]
    placed += [own] if (own := (overrides or {}).get(release.name)) else []
    filled = [file.of(release.item) for file in placed]
    return resolve(filled, lookup, subject=f"the values of release {release.name!r}")


def counts(item: ValuesSpec, lookup: Lookup) -> bool:
    """Whether a values file counts; a FormatError when its `when` can't be told."""
    return not item.when or holds(item.when, lookup)


def counting(releases: Iterable[ReleaseSpec], files: Mapping[Path, ValuesFile], lookup: Lookup) -> Iterator[ValuesFile]:
    """The files that count at this site, and those of which that can't be told because a fact is missing."""
    used = ((item.file, each.item) for each in releases for item in each.values if _may_count(item, lookup))
    for path, instance in dict.fromkeys(used):
        yield files[path].of(instance)


def _may_count(item: ValuesSpec, lookup: Lookup) -> bool:
    try:
        return counts(item, lookup)
    except FormatError:
        return True


def without_secrets(lookup: Lookup) -> Lookup:
    """The same lookup, with an empty text for whatever may be secret or is known only later."""
    return lambda name: "" if name.space in ("env", "file", "secret", "output") else lookup(name)


def merge(trees: Sequence[tuple[str, Node]]) -> Values:
    """Merge mappings, each with the name of the file that it is from, in the way of Helm's values.MergeMaps."""
    data: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    for file, root in trees:
        _merge(data, root, file, (), places)
    return Values(data=data, places=places)


def key_text(path: KeyPath) -> str:
    """A key path as people write it: `ingress.hosts[0].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _merge(into: dict[str, Any], tree: Node, file: str, at: KeyPath, places: dict[KeyPath, str]) -> None:
    for key, node in tree.members().items():
        path = (*at, key)
        _note(node, file, path, places)
        if isinstance(node.value, dict):
            below = into.get(key)
            into[key] = below if isinstance(below, dict) else {}
            _merge(into[key], node, file, path, places)
        else:
            into[key] = node.plain()


def _note(node: Node, file: str, path: KeyPath, places: dict[KeyPath, str]) -> None:
    places[path] = f"{file}:{node.place.line}"
    for index, item in enumerate(node.items()):
        _note(item, file, (*path, index), places)
        for key, member in item.members().items():
            _note(member, file, (*path, index, key), places)
