"""Entries with `for_each`, once for each item of a site's list."""

from pathlib import Path
from typing import Any

import pytest

from schema.site.instances import SAMPLE, expanded, instance_faults, lists_of, sampled
from schema.site.site import Site
from schema.spec.spec import Spec
from tests.fixtures.made.installs import WITH_CHART, spec

EACH = '"${site.teams}"'
INSTALL = (
    WITH_CHART
    + """\
install:
  secrets:
    - {name: pull, data: {p: "${env.P}"}, namespaces: [app, "team${item.suffix}"]}
    - {name: key, generate: hex8, for_each: EACH}
    - {name: tls, type: tls, certificate: "${file.t${item.suffix}.crt}", key: "${env.K${item.SUFFIX}}",
       hosts: ["${item.host}"], ca: "${file.ca}", for_each: EACH}
  releases:
    - {name: app, chart: web, namespace: app, after: [web, enroll]}
    - name: web
      chart: web
      namespace: team${item.suffix}
      for_each: EACH
      values: [v.yaml, {file: w.yaml, when: "${item.on}"}]
      health: [{url: "https://${item.host}/", text: "${item.name}", json: {id: "${output.enroll.id}"}}]
      needs: [enroll, first]
  actions:
    - {name: first, run: [x]}
    - {name: enroll, run: [x, "${item.name}"], env: {T: "${secret.key}"}, inputs: ["${item.host}"], outputs: json,
       after: [first], for_each: EACH}
  checks:
    - {dns: "${item.host}", for_each: EACH}
    - {run: [x, "${item.host}"], for_each: EACH}
  backup:
    before_upgrade: [app, web]
    commands:
      - {name: dump, run: [x, "${item.host}"], env: {P: "${env.P${item.SUFFIX}}"}, for_each: EACH,
         restore: {run: [y, "${item.host}"], checks: [{run: [z], prints: "${item.name}"}]}}
""".replace("EACH", EACH)
)
FILES: dict[str, str | bytes] = {"v.yaml": "host: ${item.host}\n", "w.yaml": "key: ${secret.key}\n"}
FIRST = INSTALL.replace(EACH, '{list: "${site.teams}", first: "${site.team}"}')
TWO = {"teams": [{"name": "a", "host": "a.x"}, {"name": "b-c", "host": "b.x"}]}


def of(place: Path, text: str = INSTALL, **facts: Any) -> Spec:
    return expanded(spec(place, text, FILES), lambda: Site(label="site.yaml", facts=facts))


def test_each_entry_is_there_for_each_item(tmp_path: Path) -> None:
    install = of(tmp_path, **TWO).install
    assert [each.name for each in install.secrets] == ["pull", "key-a", "key-b-c", "tls-a", "tls-b-c"]
    assert [each.name for each in install.releases] == ["app", "web-a", "web-b-c"]
    assert [each.name for each in install.actions] == ["first", "enroll-a", "enroll-b-c"]
    assert [each.subject for each in install.checks[:2]] == ["${site.teams.a.host}", "${site.teams.b-c.host}"]
    assert [each.name for each in install.backup.commands] == ["dump-a", "dump-b-c"]
    assert install.namespaces == ("app", "team-a", "team-b-c")
    assert "for_each" not in str(install.to_dict(tmp_path))


def test_what_each_says_is_said_of_its_item(tmp_path: Path) -> None:
    install = of(tmp_path, **TWO).install
    tls = install.secrets[4]
    assert tls.data == {"certificate": "${file.t-b-c.crt}", "key": "${env.K_B_C}"}
    assert (tls.hosts, tls.ca, tls.namespaces) == (("${site.teams.b-c.host}",), "${file.ca}", ("team-b-c",))
    web = install.releases[2]
    assert [each.when for each in web.values] == ["", "${site.teams.b-c.on}"]
    assert (web.health[0].url, web.health[0].text) == ("https://${site.teams.b-c.host}/", "${site.teams.b-c.name}")
    assert web.health[0].json == {"id": "${output.enroll-b-c.id}"}
    enroll = install.actions[2]
    assert (enroll.run, enroll.env) == (("x", "${site.teams.b-c.name}"), {"T": "${secret.key-b-c}"})
    assert enroll.inputs == ("${site.teams.b-c.host}",)
    assert install.checks[3].run == ("x", "${site.teams.b-c.host}")
    assert install.backup.commands[1].env == {"P": "${env.P_B_C}"}
    restore = install.backup.commands[1].restore
    assert restore
    assert (restore.run, restore.checks[0].prints) == (("y", "${site.teams.b-c.host}"), "${site.teams.b-c.name}")


def test_what_waits_for_it_waits_for_its_own_or_for_all(tmp_path: Path) -> None:
    install = of(tmp_path, **TWO).install
    app, _, web = install.releases
    assert web.needs == ("enroll-b-c", "first")
    assert install.actions[2].after == ("first",)
    assert app.after == ("web-a", "web-b-c", "enroll-a", "enroll-b-c")
    assert install.backup.before_upgrade == ("app", "web-a", "web-b-c")


def test_a_secret_that_is_there_once_is_in_all_their_namespaces(tmp_path: Path) -> None:
    assert of(tmp_path, **TWO).install.secrets[0].namespaces == ("app", "team-a", "team-b-c")
    assert of(tmp_path, teams=[]).install.secrets[0].namespaces == ("app",)


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({}, ["app", "web"]),
        ({"team": {"host": "t"}}, ["app", "web"]),
        ({"team": {"host": "t"}, **TWO}, ["app", "web", "web-a", "web-b-c"]),
        (TWO, ["app", "web-a", "web-b-c"]),
        ({"teams": []}, ["app", "web"]),
    ],
    ids=["nothing said", "first", "first and a list", "a list alone", "an empty list"],
)
def test_the_first_goes_by_the_plain_name(tmp_path: Path, facts: dict[str, Any], names: list[str]) -> None:
    install = of(tmp_path, FIRST, **facts).install
    assert [each.name for each in install.releases] == names
    first = install.releases[1]
    if first.name == "web":
        assert (first.namespace, first.health[0].url) == ("team", "https://${site.team.host}/")
        assert first.needs == ("enroll", "first")


def test_a_list_has_the_default_of_its_setting(tmp_path: Path) -> None:
    text = "site: {teams: {type: array, default: [{name: z}], items: {host: {default: h}}}}\n"
    assert [each.name for each in of(tmp_path, text + INSTALL).install.releases] == ["app", "web-z"]


def test_what_repeats_nothing_asks_no_site(tmp_path: Path) -> None:
    def refuse() -> Site:
        raise AssertionError

    plain = spec(tmp_path, WITH_CHART)
    assert expanded(plain, refuse) is plain
    once = of(tmp_path, **TWO)
    assert expanded(once, refuse) is once
    assert [each.list for each in lists_of(once.install)] == ["teams"]


def test_a_sample_stands_for_what_nobody_said(tmp_path: Path) -> None:
    made = spec(tmp_path, INSTALL, FILES)
    assert sampled(made, Site()).facts == {"teams": [{"name": SAMPLE}]}
    assert sampled(made, Site(facts=TWO)).facts == TWO
    assert sampled(made, Site(facts=TWO), always=True).facts == {"teams": [{"name": SAMPLE}]}
    with_first = spec(tmp_path, FIRST, FILES)
    assert sampled(with_first, Site()).facts == {}
    assert sampled(with_first, Site(), always=True).facts == {"teams": [{"name": SAMPLE}], "team": {}}


@pytest.mark.parametrize(
    ("teams", "told"),
    [
        (["a"], "'teams', entry 1 is text, expected a mapping with a `name`"),
        ([{"name": "a"}, {"host": "x"}], "'teams', entry 2 has no 'name'"),
        ([{"name": "Team B"}], "'teams', entry 1 has the name 'Team B', expected lower-case letters, digits and '-'"),
        ([{"name": 7}], "'teams', entry 1 has the name 7, expected lower-case"),
        ([{"name": "a"}, {"name": "b"}, {"name": "a"}], "'teams', entry 3: the name 'a' is taken; give each its own"),
        ([{"name": "a" * 60}], "the name of a release is 'web-aaaa"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, teams: Any, told: str) -> None:
    made = spec(tmp_path, INSTALL, FILES)
    (fault,) = instance_faults(made, Site(label="site.yaml", facts={"teams": teams}))
    assert fault.startswith("site.yaml: ")
    assert told in fault


def test_all_that_is_wrong_with_a_list_is_told_at_once(tmp_path: Path) -> None:
    made = spec(tmp_path, INSTALL, FILES)
    teams = [{"name": "a"}, {"name": "a"}, "b", {}, {"name": "_"}]
    assert len(list(instance_faults(made, Site(label="s", facts={"teams": teams})))) == 4
    assert list(instance_faults(made, Site(label="s", facts=TWO))) == []
    assert list(instance_faults(made, Site(label="s"))) == []
    assert list(instance_faults(made, Site(label="s", facts={"teams": "x"}))) == [], "told as any setting"


def test_a_name_that_something_else_has(tmp_path: Path) -> None:
    text = INSTALL.replace("{name: first, run: [x]}", "{name: first, run: [x]}\n    - {name: web-a, run: [x]}")
    found = list(instance_faults(spec(tmp_path, text, FILES), Site(label="s", facts=TWO)))
    assert found == ["s: there would be two of release or action 'web-a'; give the entry of the list another `name`"]
