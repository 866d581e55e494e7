"""What `${...}` stands for before the crossing: real names of images, stand-ins for what only the site knows.

Charts are rendered with them, to be looked at and never installed. A stand-in tells what it stands for, and has the
shape that the chart is likely to check: an address below `.invalid` (RFC 2606) for a fact, the right length for a
generated secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundle.formats.json_path import KeyPath
from schema.site.image_names import ImageNames
from schema.site.instances import SAMPLE
from schema.site.site import Site
from schema.spec.generate import Generate
from schema.syntax.template import Name
from schema.values.chart import ChartValues
from schema.values.values import Values

_ALPHABETS = {"hex": "0", "alnum": "a"}


class StandIn(str):
    """A text in the place of a value that is not known yet."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIns:
    """A Lookup for rendering: images by their names inside, site settings as far as `site` has them or a default.

    `generated` are the secrets that are made inside. No environment, file, cluster or action is asked.
    """

    images: ImageNames
    site: Site
    generated: Mapping[str, Generate]

    def __call__(self, name: Name) -> Any:
        """The value; a FormatError for an image that nothing is called like, and for a fact that `site` lacks."""
        if name.space == "image":
            return self.images.value(name)
        if name.space == "site" and self._is_told(name.rest):
            return self.site.value(name)
        if name.space == "secret" and (made := self.generated.get(name.rest)):
            return StandIn(_ALPHABETS[made.alphabet] * made.length)
        words = "-".join(part for part in name.rest.lower().replace("_", "-").replace(".", "-").split("-") if part)
        return StandIn(f"{words or 'value'}.{name.space}.invalid")

    def _is_told(self, setting: str) -> bool:
        """Whether the site, not a stand-in, says what a setting is; a list's entry that nobody wrote does not."""
        is_sample = SAMPLE in setting.split(".")[1:-1]
        return self.site.found(setting) is not None or bool(self.site.label and not is_sample)


def shaped(values: Values, chart: ChartValues) -> Mapping[str, Any]:
    """The values, where a lone stand-in takes the chart's own default if that is a number, a list or a mapping.

    A chart that counts with a fact, or ranges over it, could not be rendered with a text.
    """
    return {key: _shaped(value, (key,), chart) for key, value in values.data.items()}


def _shaped(value: Any, path: KeyPath, chart: ChartValues) -> Any:
    if isinstance(value, dict):
        return {key: _shaped(item, (*path, key), chart) for key, item in value.items()}
    if isinstance(value, list):
        return [_shaped(item, (*path, index), chart) for index, item in enumerate(value)]
    if isinstance(value, StandIn):
        default = _default(path, chart)
        return str(value) if default is None or isinstance(default, str) else default
    return value


def _default(path: KeyPath, chart: ChartValues) -> Any:
    """What a chart, or the subchart that the path leads into, has at a path of values; None for nothing."""
    found: Any = chart.defaults
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None and len(path) > 1 and isinstance(path[0], str) and path[0] in chart.subcharts:
        return _default(path[1:], chart.subcharts[path[0]])
    return found
