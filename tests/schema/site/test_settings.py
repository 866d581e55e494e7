"""What a site file may hold."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schema.loading.values import read_all
from schema.site.settings import Settings, completed, expected
from schema.site.site import Site
from schema.site.uses import Use
from schema.spec.settings import SettingSpec
from schema.syntax.template import Name
from tests.fixtures.made.installs import WITH_CHART, spec

DECLARED = (
    SettingSpec(name="replicas", type="integer", default=2, description="Pods"),
    SettingSpec(name="database.type", choices=("mysql", "postgres"), default="mysql"),
    SettingSpec(name="ingress_class", type="string", example="nginx"),
)
USED = [Use(name=Name(space="site", rest=rest), where="v.yaml:1") for rest in ("replicas", "host", "pod.resources")]
SETTINGS = Settings.of(DECLARED, [*USED, Use(name=Name(space="env", rest="X"), where="v.yaml:2")])


def site(**facts: Any) -> Site:
    return Site(label="site.yaml", facts=facts)


def test_they_are_those_that_are_declared_and_those_that_are_used() -> None:
    assert list(SETTINGS.known) == ["replicas", "database.type", "ingress_class", "host", "pod.resources"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"replicas": 3, "database": {"type": "postgres"}, "ingress_class": "nginx", "host": 5},
        {"registry": "r.in/team", "host": None, "pod": {"resources": {"requests": {"cpu": "1"}}}},
        {"pod": {}},
    ],
)
def test_a_good_file(facts: dict[str, Any]) -> None:
    assert list(SETTINGS.faults(site(**facts))) == []
    assert list(Draft202012Validator(SETTINGS.schema()).iter_errors({k: v for k, v in facts.items() if v})) == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"ingress_clas": "nginx"}, "unknown setting 'ingress_clas'; did you mean 'ingress_class'?"),
        ({"database": {"typ": "x"}}, "unknown setting 'database.typ'; did you mean 'database.type'?"),
        ({"zzz": {"a": 1}}, "unknown setting 'zzz.a'"),
        ({"hosting": 1}, "unknown setting 'hosting'; did you mean 'host'?"),
        ({"replicas": "two"}, "setting 'replicas' is 'two', expected a whole number"),
        ({"replicas": True}, "setting 'replicas' is true, expected a whole number"),
        ({"replicas": 1.5}, "setting 'replicas' is the number 1.5, expected a whole number"),
        ({"database": {"type": "oracle"}}, "setting 'database.type' is 'oracle', expected one of mysql, postgres"),
        ({"ingress_class": ["a"]}, "setting 'ingress_class' is a list, expected text"),
    ],
)
def test_a_bad_file(facts: dict[str, Any], told: str) -> None:
    assert list(SETTINGS.faults(site(**facts))) == [f"site.yaml: {told}"]
    assert list(Draft202012Validator(SETTINGS.schema()).iter_errors(facts)), "editors say so too"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("string", "x", 1),
        ("integer", 1, "1"),
        ("number", 1.5, True),
        ("boolean", False, 0),
        ("array", [], {}),
        ("object", {}, "x"),
        ("", [1], None),
    ],
)
def test_types(kind: Any, right: Any, wrong: Any) -> None:
    assert expected(SettingSpec(name="a", type=kind), right) == ""
    assert wrong is None or expected(SettingSpec(name="a", type=kind), wrong)


def test_defaults_fill_in_what_is_missing_and_nothing_else() -> None:
    given = site(database={"host": "d"}, replicas=5)
    found = completed(given, DECLARED)
    assert found.facts == {"database": {"host": "d", "type": "mysql"}, "replicas": 5}
    assert given.facts == {"database": {"host": "d"}, "replicas": 5}
    assert completed(site(database="x"), DECLARED).facts == {"database": "x", "replicas": 2}
    assert completed(Site(), DECLARED).facts == {"replicas": 2, "database": {"type": "mysql"}}


def test_editors_know_the_releases_that_can_be_overridden() -> None:
    schema = Settings.of([], [], releases=["web"]).schema()
    check = Draft202012Validator(schema).is_valid
    assert check({"overrides": {"web": {"any": ["thing"]}}})
    assert not check({"overrides": {"wbe": {}}})
    assert not check({"overrides": {"web": 3}})


ENTRIES = (
    SettingSpec(
        name="teams",
        type="array",
        items=(
            SettingSpec(name="name", type="string"),
            SettingSpec(name="size", type="integer", default=2),
            SettingSpec(name="db.host", type="string"),
        ),
    ),
)
LISTS = Settings.of(ENTRIES, [Use(name=Name(space="site", rest="teams.item.zone"), where="v.yaml:1")])


def test_members_of_entries_are_those_that_are_declared_and_those_that_are_used() -> None:
    assert [each.name for each in LISTS.known["teams"].items] == ["name", "size", "db.host", "zone"]
    undeclared = Settings.of([], [Use(name=Name(space="site", rest="a.teams.item.zone"), where="v.yaml:1")])
    (found,) = undeclared.known.values()
    assert (found.name, found.type, [each.name for each in found.items]) == ("a.teams", "array", ["name", "zone"])


@pytest.mark.parametrize(
    ("teams", "told"),
    [
        ([{"name": "a", "sise": 3}], "'teams', entry 1: unknown setting 'sise'; did you mean 'size'?"),
        (
            [{"name": "a"}, {"name": "b", "size": "x"}],
            "'teams', entry 2: setting 'size' is 'x', expected a whole number",
        ),
        ([{"name": "a", "db": {"hots": "x"}}], "'teams', entry 1: unknown setting 'db.hots'; did you mean 'db.host'?"),
        ("x", "setting 'teams' is 'x', expected a list"),
        ({"name": "a"}, "setting 'teams' is a mapping, expected a list"),
    ],
)
def test_bad_entries(teams: Any, told: str) -> None:
    assert list(LISTS.faults(site(teams=teams))) == [f"site.yaml: {told}"]
    assert list(Draft202012Validator(LISTS.schema()).iter_errors({"teams": teams})), "editors say so too"


def test_good_entries() -> None:
    teams = [{"name": "a", "db": {"host": "h"}}, {"name": "b", "zone": 1, "size": 3}]
    assert list(LISTS.faults(site(teams=teams))) == []
    assert Draft202012Validator(LISTS.schema()).is_valid({"teams": teams})
    for wrong in ({"size": 3}, {"name": "Team A"}, {"name": "a\n"}):
        assert not Draft202012Validator(LISTS.schema()).is_valid({"teams": [wrong]}), "a name is needed"


def test_entries_have_defaults() -> None:
    given = site(teams=[{"name": "a"}, {"name": "b", "size": 3}, "x"])
    assert completed(given, ENTRIES).facts == {"teams": [{"name": "a", "size": 2}, {"name": "b", "size": 3}, "x"]}
    assert given.facts["teams"][0] == {"name": "a"}


def test_all_that_is_wrong_with_a_list_is_told_at_once() -> None:
    assert len(list(LISTS.faults(site(teams=[{"a": 1}, {"size": "x", "b": 2}], c=3)))) == 4


def test_releases_of_a_list_are_overridden_by_their_own_names() -> None:
    check = Draft202012Validator(Settings.of([], [], releases=["web"], repeated=["web", "db"]).schema()).is_valid
    assert check({"overrides": {"web": {}, "web-a": {}, "db-a": {}}})
    assert not check({"overrides": {"db": {}}})
    assert not check({"overrides": {"dbb-a": {}}})


def test_what_is_repeated_uses_members_of_the_list_and_of_the_first(tmp_path: Path) -> None:
    text = """\
install:
  releases:
    - name: web
      chart: web
      namespace: n
      for_each: {list: "${site.a.teams}", first: "${site.team}"}
      values: [v.yaml]
    - {name: db, chart: web, namespace: n, for_each: "${site.dbs}", values: [v.yaml]}
"""
    made = spec(tmp_path, WITH_CHART + text, {"v.yaml": "a: ${item.host}\nb: ${item.db.port}\nc: ${site.zone}\n"})
    found = Settings.of_spec(made, read_all(made).values())
    members = {name: [item.name for item in each.items] for name, each in found.known.items()}
    assert members == {
        "team.host": [],
        "team.db.port": [],
        "zone": [],
        "a.teams": ["name", "host", "db.port"],
        "dbs": ["name", "host", "db.port"],
    }
    assert (found.releases, found.repeated) == (("web",), ("web", "db"))
    own = {
        "team": {"host": "h", "db": {"port": 1}},
        "zone": "z",
        "a": {"teams": [{"name": "b", "host": "h"}]},
        "dbs": [],
    }
    assert list(found.faults(site(**own))) == []
