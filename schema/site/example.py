"""`site.example.yaml`: a site file to fill in, with what each setting is for."""

from collections.abc import Iterable, Iterator, Mapping
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
    ours = _REGISTRY.format(prefix=prefix)
    names = [*settings.releases, *(f"{name}-NAME" for name in settings.repeated if name not in settings.releases)]
    if names:
        ours += _OVERRIDES.format(releases="\n".join(f"#   {name}: {{}}" for name in names))
    return "\n".join([_HEAD, ours, *_lines(_tree(settings.known.values()), "")]) + "\n"


def _tree(settings: Iterable[SettingSpec]) -> Mapping[str, Any]:
    tree: dict[str, Any] = {}
    for setting in settings:
        *above, last = setting.name.split(".")
        place = tree
        for key in above:
            place = place.setdefault(key, {})
        place[last] = setting
    return tree


def _lines(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, member in tree.items():
        if isinstance(member, SettingSpec):
            yield from _list(key, member, indent) if member.items else _setting(key, member, indent)
        else:
            yield f"{indent}{key}:"
            yield from _lines(member, f"{indent}  ")


def _list(key: str, setting: SettingSpec, indent: str) -> Iterator[str]:
    """A list with one entry to fill in, commented out where there may be none."""
    yield f"{indent}# {'; '.join(filter(None, [setting.description, 'a list of these']))}"
    mark = "" if setting.default is None else "# "
    yield f"{indent}{mark}{key}:"
    yield f"{indent}{mark}  -"
    yield from (f"{indent}{mark}{line}" for line in _lines(_tree(setting.items), "    "))


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
