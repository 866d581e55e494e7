"""What a rehearsal leaves out of an installation, and what stands in for the rest."""

from pathlib import Path
from typing import Any

import pytest

from schema.site.site import Site
from schema.site.stand_ins.rehearsal import PLACEHOLDER, completed, is_address, rehearsed, stand_in_outputs
from schema.site.uses import Use
from schema.spec.install import InstallSpec
from schema.syntax.template import Name
from tests.fixtures.made.installs import WITH_CHART, spec

INSTALL = (
    WITH_CHART
    + """\
install:
  kubernetes: {min_version: '1.28', ingress_class: nginx, storage_class: fast}
  secrets:
    - {name: key, generate: hex64, namespaces: [one]}
  releases:
    - {name: one, chart: web, namespace: one, health: ['https://one.internal/']}
    - {name: two, chart: web, namespace: two, after: [enroll, two-a]}
  actions:
    - {name: enroll, after: [one], run: ['true'], outputs: json}
    - {name: two-a, after: [enroll], run: ['true']}
  checks:
    - {tcp: 'db.internal:3306'}
"""
)


def test_a_real_install_is_left_alone(tmp_path: Path) -> None:
    real = spec(tmp_path, INSTALL)
    assert rehearsed(real, "") is real


def test_images_alone_need_no_cluster(tmp_path: Path) -> None:
    real = spec(tmp_path, INSTALL)
    left = rehearsed(real, "images")
    assert left.install == InstallSpec()
    assert left.images == real.images


def test_a_throwaway_cluster_is_asked_for_nothing_of_the_site(tmp_path: Path) -> None:
    left = rehearsed(spec(tmp_path, INSTALL), "cluster").install
    assert (left.checks, left.actions) == ((), ())
    assert (left.kubernetes.min_version, left.kubernetes.ingress_class, left.kubernetes.storage_class) == (
        "1.28",
        "",
        "",
    )
    assert [(each.name, each.health, tuple(each.after)) for each in left.releases] == [
        ("one", (), ()),
        ("two", (), ("one",)),
    ]
    assert [secret.name for secret in left.secrets] == ["key"]


@pytest.mark.parametrize(
    ("facts", "lacking", "wanted"),
    [
        pytest.param({}, ["a.b"], {"a": {"b": PLACEHOLDER}}, id="nested"),
        pytest.param({"a": {"c": 1}}, ["a.b"], {"a": {"b": PLACEHOLDER, "c": 1}}, id="beside one that is there"),
        pytest.param({"a": None}, ["a"], {"a": PLACEHOLDER}, id="empty"),
        pytest.param({"a": 1}, [], {"a": 1}, id="complete"),
    ],
)
def test_missing_facts_get_placeholders(facts: dict[str, Any], lacking: list[str], wanted: dict[str, Any]) -> None:
    site = Site(label="site.yaml", facts=facts)
    assert completed(site, [Name(space="site", rest=each) for each in lacking]) == wanted


def test_a_site_is_not_changed_by_completing_it() -> None:
    site = Site(label="site.yaml", facts={"a": {"c": 1}})
    completed(site, [Name(space="site", rest="a.b")])
    assert site.facts == {"a": {"c": 1}}


def test_outputs_of_actions_stand_in_as_far_as_they_are_used() -> None:
    used = [
        Use(name=Name(space="output", rest="enroll.id"), where="x"),
        Use(name=Name(space="env", rest="A"), where="x"),
    ]
    assert stand_in_outputs(used) == {"enroll": {"id": PLACEHOLDER}}


@pytest.mark.parametrize(
    ("value", "address"),
    [
        pytest.param("mysql.internal.example.com", True, id="host"),
        pytest.param("mysql.db:3306", True, id="host and port"),
        pytest.param("https://zenml/health", True, id="URL of a short host"),
        pytest.param("10.1.2.3", True, id="IPv4"),
        pytest.param("10.1.2.3:5432", True, id="IPv4 and port"),
        pytest.param("fd00::1", True, id="IPv6"),
        pytest.param("registry.example.com/team", True, id="place in a registry"),
        pytest.param("1.5Gi", False, id="quantity"),
        pytest.param("0.94.6", False, id="version"),
        pytest.param("nginx", False, id="word"),
        pytest.param("ops@example.com", False, id="mail address"),
        pytest.param(3306, False, id="number"),
        pytest.param(True, False, id="truth"),
        pytest.param(["db.internal"], False, id="list"),
    ],
)
def test_addresses(value: Any, address: bool) -> None:
    assert is_address(value) is address


def test_what_an_entry_of_a_list_lacks_gets_a_placeholder() -> None:
    site = Site(facts={"teams": [{"name": "a", "db": {"port": 1}}, {"name": "b"}]})
    lacking = [Name(space="site", rest=each) for each in ("teams.a.db.host", "teams.b.host", "others")]
    assert completed(site, lacking, ["others"]) == {
        "teams": [{"name": "a", "db": {"port": 1, "host": PLACEHOLDER}}, {"name": "b", "host": PLACEHOLDER}],
        "others": [],
    }
    assert site.facts["teams"] == [{"name": "a", "db": {"port": 1}}, {"name": "b"}]
