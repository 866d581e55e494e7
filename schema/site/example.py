"""`site.example.yaml`: a site file to fill in, with what each setting is for."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from schema.site.settings import Settings
from schema.spec.settings import SettingSpec

_HEAD = """\
# yaml-language-server: $schema=site.schema.json
# What one site decides. Copy this file to site.yaml, fill it in, and pass it: site=site.yaml
# No secrets here: they are read from the environment and from files when install runs.
# A line that begins with `# ` and a name shows a setting with its default; remove the `# ` to change it.
"""
_REGISTRY = "# registry: {prefix}   # where the images go, instead of the bundle's own registry\n"
_OVERRIDES = """\
# overrides:   # any value of a chart, instead of the bundle's; null takes one away
{releases}
"""


def example(settings: Settings, *, prefix: str) -> str:
    """The text; `prefix` is the registry that the bundle's images go to unless the site says another."""
    tree: dict[str, Any] = {}
    for setting in settings.known.values():
        *above, last = setting.name.split(".")
        place = tree
        for key in above:
            place = place.setdefault(key, {})
        place[last] = setting
    ours = _REGISTRY.format(prefix=prefix)
    if settings.releases:
        ours += _OVERRIDES.format(releases="\n".join(f"#   {name}: {{}}" for name in settings.releases))
    return "\n".join([_HEAD, ours, *_lines(tree, "")]) + "\n"


def _lines(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, member in tree.items():
        if isinstance(member, SettingSpec):
            yield from _setting(key, member, indent)
        else:
            yield f"{indent}{key}:"
            yield from _lines(member, f"{indent}  ")


def _setting(key: str, setting: SettingSpec, indent: str) -> Iterator[str]:
    said = [setting.description] if setting.description else []
    if setting.choices:
        said.append(f"one of {', '.join(map(str, setting.choices))}")
    elif setting.type:
        said.append(setting.type)
    if said:
        yield f"{indent}# {'; '.join(said)}"
    is_optional = setting.default is not None
    value = setting.default if is_optional else setting.example
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).removesuffix("...\n").strip()
    yield f"{indent}{'# ' if is_optional else ''}{key}: {'' if value is None else text}".rstrip()
