"""From a structurally valid document to the typed spec: what a site decides (`site`)."""

from collections.abc import Iterator
from typing import cast

from schema.loading._build import text
from schema.site.settings import expected
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
        )
        for key in ("default", "example"):
            given = member.get(key)
            if given is not None and (right := expected(setting, _value(given))):
                problems.add(given.place, f"setting {name!r}: its {key!r} is of another kind", expected=right)
        yield setting


def _value(node: Node | None) -> object:
    return node.plain() if node else None
