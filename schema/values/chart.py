"""The values that a packaged chart and its subcharts have (Helm chart format), as far as keys are concerned."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.charts.package import Room, read_archive
from bundle.formats import strict_json
from schema.syntax.document import parse
from schema.syntax.problems import Problems

_FILES = ("values.yaml", "values.schema.json", "Chart.yaml", "requirements.yaml")
_KEPT = re.compile(rf"(?:charts/[^/]+/)*(?:{'|'.join(map(re.escape, _FILES))}|charts/[^/]+\.tgz)")
_SUBCHART = re.compile(r"charts/(?![_.])([^/]+)/(.+)")
_PACKAGED = re.compile(r"charts/(?![_.])[^/]+\.tgz")
_COMMENTED = re.compile(r"^[ \t]*#[# \t-]*([A-Za-z_][\w.-]*)[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartValues:
    """`defaults` are values.yaml's; `comments` the keys that it only mentions in comments.

    `switches` are the key paths that turn dependencies on (`condition`), with dots. `subcharts` are by the key that
    their values have in the parent's: the alias, else the name.
    """

    defaults: Mapping[str, Any]
    comments: frozenset[str]
    schema: Mapping[str, Any]
    switches: frozenset[str]
    subcharts: "Mapping[str, ChartValues]"

    @classmethod
    def read(cls, data: bytes, *, subject: str) -> Self:
        """Read a chart's .tgz; FormatError for one that Helm would refuse. What can't be parsed counts as empty."""
        room = Room()
        return cls._of(read_archive(data, keep=_is_kept, subject=subject, room=room), subject, room)

    @property
    def globals(self) -> Mapping[str, Any]:
        """The members of `global` that this chart or one below it has."""
        own = self.defaults.get("global")
        found: dict[str, Any] = {}
        for part in (*(chart.globals for chart in self.subcharts.values()), own):
            found |= part if isinstance(part, Mapping) else {}
        return found

    @classmethod
    def _of(cls, files: Mapping[str, bytes], subject: str, room: Room) -> Self:
        values = files.get("values.yaml", b"")
        metadata = _yaml(files.get("Chart.yaml", b""))
        listed = [*_dependencies(metadata), *_dependencies(_yaml(files.get("requirements.yaml", b"")))]
        charts = {str(name): chart for name, chart in cls._packed(files, subject, room)}
        keys = {name: [d.get("alias") or name for d in listed if d.get("name") == name] or [name] for name in charts}
        return cls(
            defaults=_yaml(values),
            comments=frozenset(_COMMENTED.findall(values.decode(errors="replace"))),
            schema=_json(files.get("values.schema.json", b"")),
            switches=frozenset(path.strip() for d in listed for path in str(d.get("condition") or "").split(",")),
            subcharts={str(key): charts[name] for name in charts for key in keys[name]},
        )

    @classmethod
    def _packed(cls, files: Mapping[str, bytes], subject: str, room: Room) -> Iterable[tuple[Any, Self]]:
        """The charts below charts/, each with the name that it gives itself."""
        below: dict[str, Mapping[str, bytes]] = {}
        for name, content in files.items():
            if _PACKAGED.fullmatch(name):
                below[name] = read_archive(content, keep=_is_kept, subject=f"{subject}: {name}", room=room)
            elif match := _SUBCHART.fullmatch(name):
                below[match[1]] = {**below.get(match[1], {}), match[2]: content}
        for inner in below.values():
            yield _yaml(inner.get("Chart.yaml", b"")).get("name"), cls._of(inner, subject, room)


def _is_kept(name: str) -> bool:
    return _KEPT.fullmatch(name) is not None


def _dependencies(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = data.get("dependencies")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _yaml(raw: bytes) -> Mapping[str, Any]:
    root = parse(raw, Problems("chart"), may_be_empty=True)
    found = root.plain() if root else {}
    return found if isinstance(found, dict) else {}


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        found = strict_json.loads(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
