"""What a chart says of itself: Chart.yaml (Helm chart format, apiVersion v1 and v2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bundle.charts.package import Room, read_archive
from bundle.errors import FormatError
from bundle.formats.grammar import parse_name
from clients.charts._drift import Dependencies, drift
from clients.charts.documents import TEXTS, documents

_LOCKS = ("Chart.lock", "requirements.lock")
_SUBCHART = re.compile(r"charts/(?![_.])[^/]+(?:/Chart\.yaml|\.tgz)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartMetadata:
    """Name and version of a chart, and the charts it depends on: versions (or ranges) by their names."""

    name: str
    version: str
    dependencies: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, raw: bytes, *, subject: str) -> Self:
        """Read Chart.yaml; a FormatError says what it lacks."""
        data = _mapping(raw, "Chart.yaml", subject)
        name, version = data.get("name"), data.get("version")
        if not isinstance(name, str) or not name or not isinstance(version, str) or not version:
            raise FormatError(f"{subject}: Chart.yaml states no name or no version")
        parse_name(name, f"{subject}: Chart.yaml: 'name'")
        parse_name(version, f"{subject}: Chart.yaml: 'version'", "version")
        return cls(name=name, version=version, dependencies=_dependencies(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedChart:
    """What a packaged chart says of itself.

    `missing` are those of its dependencies that are not packaged with it: Helm refuses to install a chart without them,
    and asks by name only (helm's action.CheckDependencies). `drift` is where it contradicts itself.
    """

    metadata: ChartMetadata
    missing: tuple[str, ...]
    drift: tuple[str, ...]


def read_metadata(data: bytes, *, subject: str) -> PackagedChart:
    """Read a packaged chart; a FormatError says what is wrong with it."""
    room = Room()
    files = read_archive(data, keep=_describes, subject=subject, room=room)
    if "Chart.yaml" not in files:
        raise FormatError(f"{subject}: the archive holds no Chart.yaml", hint="make the archive with `helm package`")
    metadata = ChartMetadata.parse(files["Chart.yaml"], subject=subject)
    wanted = {**metadata.dependencies}
    if "requirements.yaml" in files:  # where apiVersion v1 has them
        wanted |= _dependencies(_mapping(files["requirements.yaml"], "requirements.yaml", subject))
    charts = [_subchart(name, content, subject, room) for name, content in files.items() if _SUBCHART.fullmatch(name)]
    there = {each.name: each.version for each in charts}
    lock = next((name for name in _LOCKS if name in files), None)
    locked = _dependencies(_mapping(files[lock], lock, subject)) if lock else None
    found = Dependencies(wanted=wanted, locked=locked, there=there)
    return PackagedChart(
        metadata=metadata, missing=tuple(sorted(wanted.keys() - there.keys())), drift=tuple(drift(found))
    )


def _describes(name: str) -> bool:
    return name in ("Chart.yaml", "requirements.yaml", *_LOCKS) or _SUBCHART.fullmatch(name) is not None


def _subchart(name: str, content: bytes, subject: str, room: Room) -> ChartMetadata:
    within = f"{subject}: {name}"
    if name.endswith(".tgz"):
        found = read_archive(content, keep=lambda member: member == "Chart.yaml", subject=within, room=room)
        content = found.get("Chart.yaml", b"")
    return ChartMetadata.parse(content, subject=within)


def _mapping(raw: bytes, name: str, subject: str) -> Mapping[str, Any]:
    try:
        data = next(iter(documents(raw, loader=TEXTS)), None)
    except FormatError as err:
        raise FormatError(f"{subject}: {name} is {err.what.replace('no YAML', 'not YAML', 1)}") from err
    if not isinstance(data, dict):
        raise FormatError(f"{subject}: {name} is not a mapping")
    return data


def _dependencies(data: Mapping[str, Any]) -> dict[str, str]:
    listed = data.get("dependencies")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, Sequence) else []
    named = [(item["name"], item.get("version")) for item in items if isinstance(item.get("name"), str)]
    return {name: version if isinstance(version, str) else "" for name, version in named}
