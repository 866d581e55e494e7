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
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, f"site: {{{text}}}\n")
    assert told in str(caught.value)
