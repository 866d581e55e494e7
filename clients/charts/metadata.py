"""What a chart says of itself: Chart.yaml (Helm chart format, apiVersion v1 and v2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import yaml

from bundle.charts.package import read_archive
from bundle.errors import FormatError

# Every scalar stays the text it is: `version: 1.10` means 1.10.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_SUBCHART = re.compile(r"charts/(?![_.])[^/]+(?:/Chart\.yaml|\.tgz)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartMetadata:
    """Name and version of a chart, and the names of the charts it depends on."""

    name: str
    version: str
    dependencies: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: bytes, *, subject: str) -> Self:
        """Read Chart.yaml; a FormatError says what it lacks."""
        data = _mapping(raw, "Chart.yaml", subject)
        name, version = data.get("name"), data.get("version")
        if not isinstance(name, str) or not name or not isinstance(version, str) or not version:
            raise FormatError(f"{subject}: Chart.yaml states no name or no version")
        return cls(name=name, version=version, dependencies=_dependencies(data))


def read_metadata(data: bytes, *, subject: str) -> tuple[ChartMetadata, tuple[str, ...]]:
    """What a packaged chart says of itself, and those of its dependencies that are not packaged with it.

    Helm refuses to install a chart without them, and asks by name only (helm's action.CheckDependencies).
    """
    files = read_archive(data, keep=_describes, subject=subject)
    if "Chart.yaml" not in files:
        raise FormatError(f"{subject}: the archive holds no Chart.yaml", hint="make the archive with `helm package`")
    metadata = ChartMetadata.parse(files["Chart.yaml"], subject=subject)
    wanted = [*metadata.dependencies]
    if "requirements.yaml" in files:  # where apiVersion v1 has them
        wanted += _dependencies(_mapping(files["requirements.yaml"], "requirements.yaml", subject))
    there = {_subchart_name(name, content, subject) for name, content in files.items() if _SUBCHART.fullmatch(name)}
    return metadata, tuple(sorted(set(wanted) - there))


def _describes(name: str) -> bool:
    return name in ("Chart.yaml", "requirements.yaml") or _SUBCHART.fullmatch(name) is not None


def _subchart_name(name: str, content: bytes, subject: str) -> str:
    within = f"{subject}: {name}"
    if name.endswith(".tgz"):
        found = read_archive(content, keep=lambda member: member == "Chart.yaml", subject=within)
        content = found.get("Chart.yaml", b"")
    return ChartMetadata.parse(content, subject=within).name


def _mapping(raw: bytes, name: str, subject: str) -> Mapping[str, Any]:
    try:
        data = yaml.load(raw, Loader=_LOADER)  # noqa: S506 - makes texts, lists and mappings only
    except yaml.YAMLError as err:
        raise FormatError(f"{subject}: {name} is not YAML: {' '.join(str(err).split())}") from err
    if not isinstance(data, dict):
        raise FormatError(f"{subject}: {name} is not a mapping")
    return data


def _dependencies(data: Mapping[str, Any]) -> tuple[str, ...]:
    listed = data.get("dependencies")
    if not isinstance(listed, Sequence):
        return ()
    return tuple(item["name"] for item in listed if isinstance(item, dict) and isinstance(item.get("name"), str))
