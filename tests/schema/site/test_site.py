"""Site files, and what they say of themselves when they are wrong."""

from pathlib import Path

import pytest

from bundle.errors import FormatError, SpecError
from schema.site.site import Site, SiteTrust
from schema.syntax import template


def load(directory: Path, text: str) -> Site:
    path = directory / "site.yaml"
    path.write_text(text)
    return Site.load(path)


def value(site: Site, rest: str) -> object:
    (name,) = template.names(template.parse(f"${{site.{rest}}}"))
    return site.value(name)


FACTS = """\
domain: shop.internal
port: 8443
debug: false
since: 2024-12-25
ratio: 1e3
zones: [a, b]
database: {host: db.internal, pool: {size: 5}}
nothing: null
"""


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("domain", "shop.internal"),
        ("port", 8443),
        ("debug", False),
        ("since", "2024-12-25"),
        ("ratio", 1000.0),
        ("zones", ["a", "b"]),
        ("database.host", "db.internal"),
        ("database.pool.size", 5),
        ("database.pool", {"size": 5}),
    ],
)
def test_facts(tmp_path: Path, rest: str, expected: object) -> None:
    found = value(load(tmp_path, FACTS), rest)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("rest", ["nothing", "databse.host", "database.port", "domain.x", "zones.0"])
def test_a_missing_fact(tmp_path: Path, rest: str) -> None:
    with pytest.raises(FormatError) as caught:
        value(load(tmp_path, FACTS), rest)
    assert caught.value.what.endswith(f"site.yaml has no {rest!r}")
    assert caught.value.hint


def test_the_next_step(tmp_path: Path) -> None:
    site = load(tmp_path, FACTS)
    with pytest.raises(FormatError, match=r"did you mean 'database\.host'"):
        value(site, "databse.host")
    with pytest.raises(FormatError, match=r"next: add it to .*site\.yaml"):
        value(site, "qqq")
    with pytest.raises(FormatError, match=r"undefined .*no site file was given\n  next: give one with site=FILE"):
        value(Site(), "domain")


@pytest.mark.parametrize(("more", "require"), [("", True), (", require: true", True), (", require: false", False)])
def test_trust_is_no_fact(tmp_path: Path, more: str, require: bool) -> None:
    (tmp_path / "signers").touch()
    site = load(tmp_path, f"trust: {{signers: signers{more}}}\ndomain: x\n")
    assert site.trust == SiteTrust(signers=tmp_path / "signers", require=require)
    assert list(site.names()) == ["domain"]
    assert list(load(tmp_path, "trust: {signers: signers}").names()) == []


def test_the_bundles_that_a_site_takes(tmp_path: Path) -> None:
    (tmp_path / "signers").touch()
    both = load(tmp_path, "trust: {signers: signers, bundles: [app, other]}\n").trust
    assert both == SiteTrust(signers=tmp_path / "signers", require=True, bundles=("app", "other"))
    assert load(tmp_path, "trust: {bundles: [app]}\n").trust == SiteTrust(signers=None, require=False, bundles=("app",))


@pytest.mark.parametrize(
    ("trust", "problem"),
    [
        ("{}", "1:8: 'trust' names no list of signers; expected a file's name; write trust: {signers: FILE}"),
        ("signers", "1:8: 'trust' names no list of signers"),
        ("{signers: 5}", "1:18: 'trust' names no list of signers"),
        ("{signers: nowhere}", "1:18: 'signers': there is no file"),
        ("{signers: site.yaml, require: 0}", "'require' is the number 0; expected true, false or how many different"),
        ("{signers: site.yaml, require: two}", "'require' is text; expected true, false or how many different"),
        ("{bundles: app}", "1:18: 'bundles' is"),
        ("{bundles: []}", "expected a list of names; write trust: {bundles: [NAME]}"),
        ("{signers: site.yaml, bundles: [app, 5]}", "1:38: 'bundles' is"),
        ("{bundles: [app], require: true}", "'require' without 'signers'; name the list of who may sign"),
        ("{signers: site.yaml, signer: x}", "unknown key 'signer' in 'trust'; did you mean 'signers'?"),
    ],
)
def test_a_wrong_trust(tmp_path: Path, trust: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, f"trust: {trust}\n")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("require", "needed"),
    [("", (True, 1)), (", require: true", (True, 1)), (", require: false", (False, 1)), (", require: 3", (True, 3))],
)
def test_how_many_must_sign(tmp_path: Path, require: str, needed: tuple[bool, int]) -> None:
    trust = load(tmp_path, f"trust: {{signers: site.yaml{require}}}\n").trust
    assert trust
    assert (trust.require, trust.needed) == needed


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_has_no_facts(tmp_path: Path, text: str) -> None:
    assert list(load(tmp_path, text).names()) == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("- a", ["1:1: the file is a list; expected a mapping of facts"], id="list"),
        pytest.param("a: 1\na: 2", ["2:1: key 'a' is given twice, first in line 1"], id="twice"),
        pytest.param(
            "a.b: 1\nc: {'d e': 2}",
            [
                "1:1: key 'a.b' can't be named in ${site...}; use letters",
                "2:5: key 'd e' can't be named in ${site...}; use letters",
            ],
            id="keys",
        ),
        pytest.param(
            "a: ['${env.X}']",
            ["1:5: a fact that holds ${; facts are plain; names are resolved in values files"],
            id="names",
        ),
        pytest.param("a: .nan", ["1:4: .nan can't be given to Helm; write it in quotes"], id="no number"),
        pytest.param("a: {\n", ["2:1: YAML: did not find expected node content"], id="syntax"),
    ],
)
def test_problems_have_places(tmp_path: Path, text: str, problems: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    found = [problem.removeprefix(f"{tmp_path / 'site.yaml'}:") for problem in caught.value.problems]
    assert [problem[: len(want)] for problem, want in zip(found, problems, strict=True)] == problems


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["absent", "directory"])
def test_a_missing_file(tmp_path: Path, make: object) -> None:
    make(tmp_path / "site.yaml")  # type: ignore[operator]
    with pytest.raises(SpecError, match=r"there is no site file .*site\.yaml"):
        Site.load(tmp_path / "site.yaml")


@pytest.mark.parametrize(
    ("text", "registry"),
    [("registry: reg.internal:5000/x\n", "reg.internal:5000/x"), ("a: 1\n", ""), ("registry: {host: reg}\n", "")],
    ids=["named", "none", "somebody's own fact"],
)
def test_the_registry_of_a_site(tmp_path: Path, text: str, registry: str) -> None:
    assert load(tmp_path, text).registry == registry


OVERRIDES = """\
host: h
overrides:
  web: {replicas: 3, tls: {secure: yes, key: "${secret.key}"}}
  db:
"""


def test_overrides_are_values_with_their_places_and_no_facts(tmp_path: Path) -> None:
    site = load(tmp_path, OVERRIDES)
    web, db = site.overrides.values()
    assert web.root.plain() == {"replicas": 3, "tls": {"secure": True, "key": "${secret.key}"}}, "as Helm reads them"
    assert (web.label, web.root.members()["replicas"].place.line) == (site.label, 3)
    assert db.root.plain() == {}
    assert list(site.names()) == ["host"]
    assert site.with_facts({}).overrides == site.overrides


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("overrides: [a]\n", "1:12: 'overrides' is a list; expected a mapping"),
        ("overrides: {web: 3}\n", "1:18: 'overrides' of 'web' is the number 3; expected a mapping"),
        ("overrides: {web: {a: '${site.}'}}\n", "1:22: incomplete name ${site.}"),
        ("overrides: {web: {'${site.a}': 1}}\n", "1:19: a key that holds ${"),
        ("overrides: {web: {a: .inf}}\n", "1:22: .inf can't be given to Helm"),
        ("overrides: {web: {a: 1, a: 2}}\n", "1:25: key 'a' is given twice"),
    ],
)
def test_overrides_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    (problem,) = caught.value.problems
    assert f"site.yaml:{told}" in problem


def test_the_cluster_of_a_site(tmp_path: Path) -> None:
    path = tmp_path / "prod.yaml"
    path.write_text("kubeconfig: keys/prod.conf\nkube_context: admin\n")
    site = Site.load(path)
    assert (site.kubeconfig, site.kube_context) == (tmp_path / "keys/prod.conf", "admin")
    assert (Site().kubeconfig, Site().kube_context) == (None, "")
    path.write_text("kubeconfig: [a]\nkube_context: 3\n")
    with pytest.raises(SpecError) as caught:
        Site.load(path)
    assert "'kubeconfig' is a list" in str(caught.value)
    assert "'kube_context' is" in str(caught.value)


def test_an_entry_of_a_list_goes_by_its_name(tmp_path: Path) -> None:
    site = load(tmp_path, "teams: [{name: a, db: {host: d}}, {name: b-1}, plain, {host: x}]\n")
    assert value(site, "teams.a.db.host") == "d"
    assert value(site, "teams.b-1") == {"name": "b-1"}
    for rest in ("teams.c", "teams.0", "teams.plain", "teams.b-1.db"):
        with pytest.raises(FormatError):
            value(site, rest)
