"""From a structurally valid document to the typed spec: what a site decides (`site`)."""

from collections.abc import Iterator
from typing import cast

from schema.loading._build import text
from schema.site.settings import expected
from schema.spec.repeat import NAME
from schema.spec.settings import SettingSpec, SettingType
from schema.syntax.document import Node
from schema.syntax.problems import Problems


def build_settings(problems: Problems, node: Node | None) -> tuple[SettingSpec, ...]:
    """Read `site`; a default or an example that is not what its setting takes is noted."""
    return tuple(_settings(problems, node)) if node else ()


def _settings(problems: Problems, node: Node) -> Iterator[SettingSpec]:
    members = node.members()
    for name, member in members.items():
        above = name.rpartition(".")[0]
        while above:
            if above in members:
                what = f"setting {name!r} is part of {above!r}, which is a setting too"
                problems.add(member.key or member.place, what, expected="one of them")
            above = above.rpartition(".")[0]
        choices = member.get("enum")
        setting = SettingSpec(
            name=name,
            type=cast("SettingType", text(member.get("type"))),
            description=text(member.get("description")),
            default=_value(member.get("default")),
            example=_value(member.get("example")),
            choices=tuple(_value(each) for each in choices.items()) if choices else (),
            items=_items(problems, name, member),
        )
        for key in ("default", "example"):
            given = member.get(key)
            if given is not None and (right := expected(setting, _value(given))):
                problems.add(given.place, f"setting {name!r}: its {key!r} is of another kind", expected=right)
        yield setting


def _items(problems: Problems, name: str, node: Node) -> tuple[SettingSpec, ...]:
    """Read `items`, the settings of a list's entries; each entry has a name, whether it is declared or not."""
    items = node.get("items")
    if items is None:
        return ()
    if text(node.get("type")) != "array":
        problems.add(items.place, f"setting {name!r} has 'items' and is no list", expected="type: array")
    found = {each.name: each for each in _settings(problems, items)}
    return tuple(({NAME: SettingSpec(name=NAME, type="string")} | found).values())


def _value(node: Node | None) -> object:
    return node.plain() if node else None
