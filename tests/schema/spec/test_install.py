"""What a spec says of installing, as data."""

from pathlib import Path

from schema.spec.install import InstallSpec
from tests.fixtures.made.installs import WITH_CHART, spec

REPEATED = (
    WITH_CHART
    + """\
install:
  secrets:
    - {name: key, generate: hex8, for_each: "${site.teams}", namespaces: ["n${item.suffix}"]}
    - {name: shared, generate: hex8}
  releases:
    - {name: r, chart: web, namespace: "n${item.suffix}", for_each: {list: "${site.teams}", first: "${site.team}"}}
    - {name: s, chart: web, namespace: m}
  actions: [{name: a, run: [x], for_each: "${site.teams}"}]
  checks: [{dns: "${item.host}", for_each: "${site.teams}"}]
  backup: {commands: [{name: d, run: [x], for_each: "${site.teams}"}]}
"""
)


def test_what_is_repeated_round_trips(tmp_path: Path) -> None:
    install = spec(tmp_path, REPEATED).install
    data = install.to_dict(tmp_path)
    assert InstallSpec.from_dict(data, tmp_path) == install
    assert data["releases"][0]["for_each"] == {"list": "teams", "first": "team"}
    assert "for_each" not in data["releases"][1], "as bundles had it that knew of none"
    assert install.secrets[1].namespaces == ("n${item.suffix}", "m")


def test_what_stands_for_all_is_the_first(tmp_path: Path) -> None:
    repeated, once = spec(tmp_path, REPEATED).install.releases
    assert (repeated.item and repeated.item.place, once.item) == ("team", None)
