"""Which names are used where, and what is missing on the installing side."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.loading.values import read_all
from schema.site.instances import expanded
from schema.site.site import Site
from schema.site.uses import Use, backup_uses, gather, is_user, known_uses, restore_uses, uses
from schema.syntax.template import Name
from schema.values.values import counting
from tests.fixtures.made.installs import WITH_CHART, spec

TEXT = (
    WITH_CHART
    + """\
install:
  secrets:
    - {name: db, data: {url: '${env.URL}'}}
    - {name: tls, type: tls, certificate: '${file.tls.crt}', key: '${file.tls.key}'}
  releases:
    - {name: r, chart: web, namespace: n, values: [{file: v.yaml, when: '${site.on}'}],
       health: [{url: 'https://${site.host}/health', json: {v: '${image.api.tag}'}}]}
  actions:
    - {name: a, run: [x, '${site.host}'], env: {T: '${env.T}'}, inputs: ['${image.api.digest}']}
  checks: [{dns: '${site.host}'}, {run: [x, '--a=${site.a}']}]
  notes: 'see ${site.host}'
"""
)
VALUES = "a: ${site.db.host}\nb:\n  c: [x, '${env.URL}${site.host}']\n"


@pytest.fixture
def used(tmp_path: Path) -> tuple[Use, ...]:
    loaded = spec(tmp_path, TEXT, {"v.yaml": VALUES})
    return uses(loaded, read_all(loaded).values())


def test_every_use_with_its_place(used: tuple[Use, ...]) -> None:
    assert [f"{use.name} {use.where}" for use in used] == [
        "${env.URL} secret 'db': 'url'",
        "${file.tls.crt} secret 'tls': 'certificate'",
        "${file.tls.key} secret 'tls': 'key'",
        "${site.on} release 'r': 'when'",
        "${site.host} release 'r': health",
        "${image.api.tag} release 'r': health",
        "${site.host} action 'a': 'run'",
        "${env.T} action 'a': 'env' T",
        "${image.api.digest} action 'a': 'inputs'",
        "${site.host} check 'dns'",
        "${site.a} check 'run'",
        "${site.host} 'notes'",
        "${site.db.host} v.yaml:1",
        "${env.URL} v.yaml:3",
        "${site.host} v.yaml:3",
    ]


SITE = Site(label="site.yaml", facts={"host": "h", "db": {"host": "d"}, "on": True, "a": 1})


def test_all_there(used: tuple[Use, ...], tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("x")
    env = {"URL": "u", "T": "t", "HOME": "/"}
    assert gather(used, site=SITE, env=env, directory=tmp_path, ask=None) == env


def test_all_missing_at_once(used: tuple[Use, ...], tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        gather(
            used,
            site=Site(label="site.yaml", facts={"hst": 1, "on": True, "a": 1}),
            env={"T": "t"},
            directory=tmp_path,
            ask=None,
        )
    assert str(caught.value).replace(str(tmp_path), "DIR") == (
        "the settings are not complete, 5 problems:\n"
        "  ${env.URL} is not set; used in secret 'db': 'url', v.yaml:3\n"
        "  ${file.tls.crt}: there is no file 'DIR/tls.crt'; used in secret 'tls': 'certificate'\n"
        "  ${file.tls.key}: there is no file 'DIR/tls.key'; used in secret 'tls': 'key'\n"
        "  undefined ${site.host}: site.yaml has no 'host'; used in release 'r': health, action 'a': 'run', "
        "check 'dns' and 2 more\n"
        "  undefined ${site.db.host}: site.yaml has no 'db.host'; used in v.yaml:1\n"
        "  next: add the settings to site.yaml; export URL=...; start install in the directory that the files' "
        "paths are relative to"
    )


def test_a_place_is_named_once(tmp_path: Path) -> None:
    name = Name(space="env", rest="X")
    twice = [Use(name=name, where=where) for where in ("v.yaml:1", "v.yaml:1", "v.yaml:2")]
    with pytest.raises(SpecError, match=r"\$\{env\.X\} is not set; used in v\.yaml:1, v\.yaml:2\n"):
        gather(twice, site=SITE, env={}, directory=tmp_path, ask=None)


def test_a_terminal_is_asked_for_what_is_not_set(used: tuple[Use, ...], tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("x")
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return f"answer {len(prompts)}"

    found = gather(used, site=SITE, env={"A": "1"}, directory=tmp_path, ask=ask)
    assert prompts == ["URL (secret 'db': 'url'): ", "T (action 'a': 'env' T): "]
    assert found == {"A": "1", "URL": "answer 1", "T": "answer 2"}


def test_a_user_is_asked_for_before_the_password(tmp_path: Path) -> None:
    names = ("REGISTRY_PASSWORD", "REGISTRY_USER")
    used = [Use(name=Name(space="env", rest=name), where="secret 'pull'") for name in names]
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt.partition(" ")[0])
        return "x"

    gather(used, site=SITE, env={}, directory=tmp_path, ask=ask)
    assert prompts == ["REGISTRY_USER", "REGISTRY_PASSWORD"]
    assert [is_user(name) for name in names] == [False, True]


def test_nothing_is_asked_while_something_else_is_missing(used: tuple[Use, ...], tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        gather(used, site=Site(), env={}, directory=tmp_path, ask=pytest.fail)
    assert not any("${env." in problem for problem in caught.value.problems)
    assert caught.value.problems[0] == "no site file was given; on, host, a and 1 more are needed"
    assert not any("${site." in problem for problem in caught.value.problems)
    assert "copy site.example.yaml of the bundle to site.yaml, fill it in, and pass site=site.yaml" in caught.value.hint
    assert "export" not in caught.value.hint


def test_faults_of_the_site_file_come_first(used: tuple[Use, ...], tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        gather(used, site=SITE, env={}, directory=tmp_path, ask=pytest.fail, faults=["site.yaml: unknown setting 'x'"])
    assert caught.value.problems[0] == "site.yaml: unknown setting 'x'"
    assert len(caught.value.problems) == 3


def test_what_a_backup_uses_is_known_and_not_asked_of_an_install(tmp_path: Path) -> None:
    restore = "restore: {run: [x, '${site.scratch}'], checks: [{run: [y], prints: '${site.count}'}]}"
    dump = f"{{name: db, run: [dump, '${{site.rows}}'], env: {{PW: '${{env.PW}}'}}, {restore}}}"
    text = f"install:\n  backup: {{commands: [{dump}]}}\n"
    found = spec(tmp_path, text)
    assert uses(found, []) == ()
    both = ["${site.rows}", "${env.PW}", "${site.scratch}", "${site.count}"]
    assert [str(each.name) for each in known_uses(found, [])] == both
    commands = found.install.backup.commands
    assert [str(each.name) for each in backup_uses(commands)] == both[:2], "a backup does not ask for the scratch ones"
    assert {each.where for each in restore_uses(commands)} == {"restore of backup command 'db'"}


REPEATED = (
    WITH_CHART
    + """install:
  secrets: [{name: key, generate: hex8, for_each: "${site.teams}"}]
  releases:
    - {name: r, chart: web, namespace: n, for_each: "${site.teams}",
       values: [v.yaml, {file: w.yaml, when: "${item.on}"}]}
    - {name: s, chart: web, namespace: n, for_each: {list: "${site.others}", first: "${site.first}"}, values: [v.yaml]}
"""
)
BOTH: dict[str, str | bytes] = {"v.yaml": "a: ${item.host}\n", "w.yaml": "p: ${env.P${item.SUFFIX}}\n"}


def test_what_is_repeated_uses_what_each_item_does(tmp_path: Path) -> None:
    loaded = spec(tmp_path, REPEATED, BOTH)
    site = Site(label="s", facts={"teams": [{"name": "a", "on": True}, {"name": "b", "on": False}]})
    found = expanded(loaded, lambda: site)
    files = counting(found.install.releases, read_all(found), site.value)
    assert [f"{use.name} {use.where}" for use in uses(found, files)] == [
        "${site.teams.a.on} release 'r-a': 'when'",
        "${site.teams.b.on} release 'r-b': 'when'",
        "${site.teams} 'for_each'",
        "${site.teams.a.host} v.yaml:1",
        "${env.P_A} w.yaml:1",
        "${site.teams.b.host} v.yaml:1",
        "${site.first.host} v.yaml:1",
    ], "the environment of what does not count is not asked for"
    everything = {str(use.name) for use in uses(found, read_all(found).values())}
    assert "${env.P_B}" in everything


def test_a_list_that_is_needed_and_missing(tmp_path: Path) -> None:
    loaded = expanded(spec(tmp_path, REPEATED, BOTH), lambda: Site(label="s", facts={"first": {"host": "h"}}))
    with pytest.raises(SpecError) as caught:
        gather(uses(loaded, read_all(loaded).values()), site=Site(label="s", facts={"first": {"host": "h"}}), env={},
               directory=tmp_path, ask=None)  # fmt: skip
    assert any(
        each.startswith("undefined ${site.teams}: s has no 'teams'; used in 'for_each'")
        for each in caught.value.problems
    )
