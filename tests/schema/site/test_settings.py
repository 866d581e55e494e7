"""What a site file may hold."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schema.site.settings import Settings, completed, expected
from schema.site.site import Site
from schema.site.uses import Use
from schema.spec.settings import SettingSpec
from schema.syntax.template import Name

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
