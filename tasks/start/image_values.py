"""The values that have a chart use its images by the names that they have on the air-gapped side."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bundle.errors import FormatError
from bundle.oci.reference import Reference
from schema.values.chart import ChartValues

Overrides = dict[str, Any]
_LOOKS = re.compile(r"[/:]")  # a plain word is as often something else


def image_values(chart: ChartValues, images: Mapping[str, str]) -> Overrides:
    """What to set of a chart's values; `images` are names of the spec by their sources' repositories.

    Found are texts that are a whole reference, and mappings with `repository` and perhaps `registry`, `tag`, `digest`;
    some charts call the first one `image`.
    """
    found = _of_mapping(chart.defaults, images)
    for key, subchart in chart.subcharts.items():
        if below := image_values(subchart, images):
            found[key] = _merged(below, found.get(key, {}))
    return found


def values_text(release: str, overrides: Overrides) -> str:
    """The values file of a release."""
    lines = [
        f"# Values of the release {release}, merged over those of the chart. ${{image.NAME.ref}} and the like are the",
        "# images' names on the air-gapped side, ${site.NAME} is a setting of the site, ${secret.NAME} a secret.",
        *(_lines(overrides, 0) if overrides else ("{}",)),
    ]
    return "\n".join([*lines, ""])


def _of_mapping(values: Mapping[str, Any], images: Mapping[str, str]) -> Overrides:
    own = _of_image(values, images)
    if own:
        return own
    found: Overrides = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            if below := _of_mapping(value, images):
                found[key] = below
        elif isinstance(value, str) and _LOOKS.search(value) and (name := _named(value, images)):
            found[key] = f"${{image.{name}.{'ref' if ':' in value.rpartition('/')[2] else 'repository'}}}"
    return found


def _of_image(values: Mapping[str, Any], images: Mapping[str, str]) -> Overrides:
    """The mapping's own image: `{registry: ..., repository: ..., tag: ...}` in the usual forms."""
    has_registry, registry = "registry" in values, values.get("registry")
    key = "image" if has_registry and "repository" not in values else "repository"
    repository = values.get(key)
    if not isinstance(repository, str) or not repository:
        return {}
    name = _named(f"{registry}/{repository}" if has_registry and registry else repository, images)
    if not name:
        return {}
    part = "path" if has_registry else "repository"
    set_to = {key: f"${{image.{name}.{part}}}", "tag": f"${{image.{name}.tag}}"}
    if has_registry:
        set_to = {"registry": f"${{image.{name}.registry}}", **set_to}
    if values.get("digest"):
        set_to["digest"] = f"${{image.{name}.digest}}"
    return dict(set_to)


def _named(text: str, images: Mapping[str, str]) -> str:
    try:
        return images.get(Reference.parse(text).repository, "")
    except FormatError:
        return ""


def _merged(one: Overrides, other: Overrides) -> Overrides:
    merged = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _lines(values: Overrides, depth: int) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{'  ' * depth}{key}:"
            yield from _lines(value, depth + 1)
        else:
            yield f'{"  " * depth}{key}: "{value}"'
