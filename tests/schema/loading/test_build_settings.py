"""The `site` part of a spec."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.spec.settings import SettingSpec
from tests.fixtures.made.installs import spec


def test_settings_are_read(tmp_path: Path) -> None:
    text = (
        "site:\n"
        "  host: {type: string, description: Where users find it, example: h.example}\n"
        "  database.type: {enum: [mysql, postgres], default: mysql}\n"
        "  free: {}\n"
    )
    assert spec(tmp_path, text).settings == (
        SettingSpec(name="host", type="string", description="Where users find it", example="h.example"),
        SettingSpec(name="database.type", default="mysql", choices=("mysql", "postgres")),
        SettingSpec(name="free"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {type: integer, default: x}", "setting 'a': its 'default' is of another kind"),
        ("a: {enum: [x], example: y}", "setting 'a': its 'example' is of another kind"),
        ("a: {}, a.b: {}", "setting 'a.b' is part of 'a', which is a setting too"),
        ("trust: {}", "none of registry, trust and overrides"),
        ("registry.x: {}", "none of registry, trust and overrides"),
        ("a: {type: text}", "'type'"),
        ("a: {tpye: string}", "tpye"),
        ("a: {type: string, items: {b: {}}}", "setting 'a' has 'items' and is no list; expected type: array"),
        ("a: {type: array, items: {b: {type: integer, default: x}}}", "setting 'b': its 'default' is of another kind"),
        ("a: {type: array, items: {suffix: {}}}", "neither suffix nor SUFFIX"),
        ("a: {type: array, items: {b: {items: {}}}}", "unknown key 'items'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, f"site: {{{text}}}\n")
    assert told in str(caught.value)


def test_entries_of_a_list_have_settings_and_a_name(tmp_path: Path) -> None:
    lists = "a: {type: array, items: {b.c: {type: integer, default: 1}}}, d: {type: array, items: {name: {example: x}}}"
    one, other = spec(tmp_path, f"site: {{{lists}}}\n").settings
    assert one.items == (
        SettingSpec(name="name", type="string"),
        SettingSpec(name="b.c", type="integer", default=1),
    )
    assert other.items == (SettingSpec(name="name", example="x"),)
