"""Releases and secrets that only some sites have."""

from pathlib import Path
from typing import Any

import pytest

from schema.spec.spec import Spec
from schema.spec.switch import switched
from tests.fixtures.made.installs import WITH_CHART, spec

SPEC = (
    WITH_CHART
    + """\
site:
  extra: {type: boolean, default: false}
  kind: {enum: [one, two], default: one}
install:
  secrets:
    - {name: login, type: docker-registry, username: u, password: "${env.P}", when: "${site.kind} == one"}
    - {name: seed, generate: hex8}
    - {name: own, generate: hex8, namespaces: [extra]}
  releases:
    - {name: app, chart: web, namespace: app, after: [extra], needs: [first]}
    - {name: extra, chart: web, namespace: extra, when: "${site.extra}"}
    - {name: more, chart: web, namespace: more, when: "${site.undeclared}"}
  actions:
    - {name: first, run: [x], after: [extra]}
  backup: {before_upgrade: [app, extra]}
"""
)


def at(place: Path, **facts: Any) -> Spec:
    return switched(spec(place, SPEC), facts.get)


def names(found: Spec) -> tuple[list[str], list[str], list[str]]:
    install = found.install
    return (
        [each.name for each in install.secrets],
        [each.name for each in install.releases],
        [each.name for each in install.off],
    )


@pytest.mark.parametrize(
    ("facts", "secrets", "releases", "off"),
    [
        pytest.param({}, ["login", "seed"], ["app", "more"], ["extra"], id="defaults; what nothing is known of stays"),
        pytest.param({"extra": True}, ["login", "seed", "own"], ["app", "extra", "more"], [], id="on"),
        pytest.param({"extra": False, "kind": "two"}, ["seed"], ["app", "more"], ["extra"], id="off"),
        pytest.param(
            {"extra": "perhaps"}, ["login", "seed", "own"], ["app", "extra", "more"], [], id="wrong: told elsewhere"
        ),
        pytest.param(
            {"undeclared": False, "extra": True}, ["login", "seed", "own"], ["app", "extra"], ["more"], id="no type"
        ),
    ],
)
def test_what_a_site_has(
    tmp_path: Path, facts: dict[str, Any], secrets: list[str], releases: list[str], off: list[str]
) -> None:
    assert names(at(tmp_path, **facts)) == (secrets, releases, off)


def test_nothing_waits_for_what_is_left_out(tmp_path: Path) -> None:
    install = at(tmp_path).install
    app, _ = install.releases
    assert (app.after, app.needs, install.actions[0].after) == ((), ("first",), ())
    assert install.backup.before_upgrade == ("app",)
    assert install.namespaces == ("app", "more"), "of secrets too"
    there = at(tmp_path, extra=True).install
    assert (there.releases[0].after, there.actions[0].after) == (("extra",), ("extra",))
    assert there.backup.before_upgrade == ("app", "extra")


def test_a_spec_without_switches_is_itself(tmp_path: Path) -> None:
    plain = spec(tmp_path, WITH_CHART + "install: {releases: [{name: app, chart: web, namespace: app}]}\n")

    def asked(name: str) -> Any:
        raise AssertionError(name)

    assert switched(plain, asked) is plain


def test_it_travels(tmp_path: Path) -> None:
    found = spec(tmp_path, SPEC)
    data = found.to_dict()
    assert [each.get("when") for each in data["install"]["releases"]] == [None, "${site.extra}", "${site.undeclared}"]
    assert [each.get("when") for each in data["install"]["secrets"]] == ["${site.kind} == one", None, None]
    assert Spec.from_dict(data, path=found.path).install == found.install
