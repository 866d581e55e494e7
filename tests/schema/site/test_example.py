"""The template of a site file."""

from dataclasses import replace

import yaml

from schema.site.example import example
from schema.site.settings import Settings
from schema.spec.settings import SettingSpec

SETTINGS = Settings.of(
    [
        SettingSpec(name="host", type="string", description="Where users find it", example="shop.example.com"),
        SettingSpec(name="database.type", choices=("mysql", "postgres"), default="mysql"),
        SettingSpec(name="database.host"),
        SettingSpec(name="tolerations", type="array", default=[]),
    ],
    [],
)


def test_it_says_what_each_setting_is_for() -> None:
    text = example(SETTINGS, prefix="reg.in/team")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=site.schema.json"
    assert text.partition("\n\n")[2] == (
        "# registry: reg.in/team   # where the images go, instead of the bundle's own registry\n"
        "\n"
        "# Where users find it; string\n"
        "host: shop.example.com\n"
        "database:\n"
        "  # one of mysql, postgres\n"
        "  # type: mysql\n"
        "  host:\n"
        "# array\n"
        "# tolerations: []\n"
    )


def test_it_is_a_site_file() -> None:
    found = yaml.safe_load(example(SETTINGS, prefix="reg.in/team"))
    assert found == {"host": "shop.example.com", "database": {"host": None}}


def test_values_that_yaml_would_take_for_something_else_are_quoted() -> None:
    text = example(Settings.of([SettingSpec(name="version", default="1.10", example="x")], []), prefix="r.in/x")
    assert "# version: '1.10'\n" in text


def test_it_says_which_releases_can_be_overridden() -> None:
    text = example(Settings.of([], [], releases=["web", "db"]), prefix="r.in/x")
    commented = [line for line in text.splitlines() if line.startswith(("# overrides:", "#   "))]
    assert yaml.safe_load("\n".join(line.removeprefix("# ") for line in commented)) == {
        "overrides": {"web": {}, "db": {}}
    }


TEAMS = SettingSpec(
    name="teams",
    type="array",
    description="Whom it is for",
    items=(
        SettingSpec(name="name", type="string", example="blue"),
        SettingSpec(name="db.port", type="integer", default=1),
        SettingSpec(name="db.host", example="d"),
    ),
)


def test_a_list_has_an_entry_to_fill_in() -> None:
    text = example(Settings.of([TEAMS], []), prefix="r.in/x")
    assert "# Whom it is for; a list of these\nteams:\n" in text
    assert yaml.safe_load(text) == {"teams": [{"name": "blue", "db": {"host": "d"}}]}


def test_a_list_that_may_be_empty_is_commented_out() -> None:
    text = example(Settings.of([replace(TEAMS, default=[])], []), prefix="r.in/x")
    assert yaml.safe_load(text) is None
    _, _, body = text.partition("a list of these\n")
    uncommented = "\n".join(line.removeprefix("# ") for line in body.splitlines())
    assert yaml.safe_load(uncommented) == {"teams": [{"name": "blue", "db": {"host": "d"}}]}


def test_releases_of_a_list_are_named_with_their_item() -> None:
    text = example(Settings.of([], [], releases=["web"], repeated=["web", "db"]), prefix="r.in/x")
    assert "#   web: {}\n#   db-NAME: {}\n" in text
