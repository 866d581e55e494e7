"""What all steps of an installation share: each thing is met when it is needed, and asked once."""

from pathlib import Path

import pytest

from bundle.errors import FormatError, SpecError
from schema.syntax.template import Name
from tasks.install.actions import action_steps
from tasks.install.receipt import receipt_steps
from tasks.install.releases import helm_steps, values_steps
from tasks.install.secrets import namespace_steps, secret_steps
from tasks.site.receiver import Receiver
from tasks.site.records.left_over import left_over
from tests.fixtures.benches.receiving import ENV, cluster_of, make_carried, named, receiving, run


def name(text: str) -> Name:
    space, _, rest = text.partition(".")
    return Name(space=space, rest=rest)


def test_what_a_run_asks_for_is_asked_once(receiver: Receiver) -> None:
    assert receiver.carried is receiver.carried
    assert receiver.cluster is receiver.cluster
    assert receiver.crossing is receiver.crossing
    assert receiver.destination is receiver.crossing.destination
    assert receiver.environment() is receiver.environment()


def test_two_runs_are_told_apart(carried_bundle: Path, tmp_path: Path) -> None:
    assert receiving(carried_bundle, tmp_path / "a").run != receiving(carried_bundle, tmp_path / "b").run


@pytest.mark.parametrize(
    ("site", "words", "expected"),
    [
        ("", {}, ""),
        ("registry: site.example/team\n", {}, "site.example/team"),
        ("registry: site.example/team\n", {"registry": "given.example/x"}, "given.example/x"),
    ],
    ids=["the bundle's own", "the site's", "the command line's before that"],
)
def test_where_images_go(carried_bundle: Path, tmp_path: Path, site: str, words: dict[str, str], expected: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/site.yaml").write_text(site)
    receiver = receiving(carried_bundle, tmp_path / "state", **words)
    assert receiver.registry == expected
    assert receiver.images.value(name("image.one.ref")) == f"{expected or 'registry.example.com/team'}/one:1.0"


def test_variables_are_those_of_the_run(receiver: Receiver) -> None:
    assert receiver.facts_before_secrets(name("env.PW")) == "hunter2"
    with pytest.raises(FormatError, match="the environment has no OTHER"):
        receiver.facts_before_secrets(name("env.OTHER"))


def test_all_that_is_missing_is_told_at_once(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", env={"PATH": "/usr/bin"})
    with pytest.raises(SpecError) as caught:
        receiver.environment()
    told = "\n".join(caught.value.problems)
    assert "PW" in told
    assert "DB" in told


def test_a_generated_secret_is_what_the_cluster_holds(receiver: Receiver) -> None:
    secrets = {secret.name: secret for secret in receiver.carried.spec.install.secrets}
    assert receiver.secret_data(secrets["seed"]) is None, "not made yet"
    run({"secret:seed": named(secret_steps(receiver))["secret:seed"]})
    made = cluster_of(receiver)[0].held("seed", "app")
    held = receiver.secret_data(secrets["seed"])
    assert held
    assert {key: value.reveal() for key, value in held.items()} == made
    given = receiver.secret_data(secrets["db"])
    assert given
    assert {key: value.reveal() for key, value in given.items()} == {"url": "mysql://db/x"}


def test_values_have_the_names_of_this_site(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", registry="given.example/x")
    (release, _) = receiver.carried.spec.install.releases
    assert receiver.values(release).data == {
        "host": "h.example",
        "replicas": 2,
        "image": "given.example/x/one:1.0",
    }


def test_values_before_the_site_is_known(receiver: Receiver) -> None:
    (release, _) = receiver.carried.spec.install.releases
    found = receiver.values(release, lambda each: f"for {each}").data
    assert found["host"] == "for ${site.host}"


def test_what_actions_printed_is_known_once_they_ran(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    with pytest.raises(FormatError):
        receiver.facts(name("output.enroll.id"))


def test_a_digest_for_the_state_gives_nothing_away(carried_bundle: Path, tmp_path: Path) -> None:
    one = receiving(carried_bundle, tmp_path / "one")
    assert one.sealed({"password": "hunter2"}) == one.sealed({"password": "hunter2"})
    assert one.sealed({"password": "hunter2"}) != one.sealed({"password": "hunter3"})
    other = receiving(carried_bundle, tmp_path / "other")
    assert other.sealed({"password": "hunter2"}) != one.sealed({"password": "hunter2"}), "each state has its key"
    assert (tmp_path / "one/state.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "uses"),
    [
        ({}, False),
        ({"engine": "docker"}, True),
        ({"engine": "docker", "rehearsal": "images", "registry": "http://127.0.0.1:5000/x"}, False),
    ],
    ids=["unless one is asked for", "asked for", "not in a rehearsal"],
)
def test_who_pushes(carried_bundle: Path, tmp_path: Path, words: dict[str, str], uses: bool) -> None:
    assert receiving(carried_bundle, tmp_path / "state", **words).uses_engine is uses


def test_a_registry_by_plain_http_is_that_for_this_run(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", registry="http://127.0.0.1:5000/x")
    assert receiver.hosts["127.0.0.1:5000"].plain_http
    assert receiver.registry == "127.0.0.1:5000/x"


OVERRIDDEN = "host: h.example\noverrides: {app: {replicas: 5, extra: {at: '${site.host}'}, image: null}}\n"


def with_site(bundle: Path, state: Path, text: str) -> Receiver:
    state.mkdir(parents=True, mode=0o700)
    (state / "site.yaml").write_text(text)
    return receiving(bundle, state)


def test_a_site_overrides_values_of_one_release(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = with_site(carried_bundle, tmp_path / "state", OVERRIDDEN)
    app, web = receiver.carried.spec.install.releases
    run(named(secret_steps(receiver)))
    assert receiver.values(app).data == {
        "host": "h.example",
        "replicas": 5,
        "image": None,
        "extra": {"at": "h.example"},
    }
    assert receiver.values(web).data == {}


def test_what_is_wrong_with_overrides_is_told_with_all_else(carried_bundle: Path, tmp_path: Path) -> None:
    text = "hots: h\noverrides: {apq: {a: 1}, web: {b: '${secret.none}', c: '${env.LACKING}'}}\n"
    receiver = with_site(carried_bundle, tmp_path / "state", text)
    with pytest.raises(SpecError) as caught:
        receiver.environment()
    told = "\n".join(caught.value.problems)
    assert "unknown setting 'hots'; did you mean 'host'?" in told
    assert "no release is called 'apq'; expected one of: app, web; did you mean 'app'?" in told
    assert "no secret with one value is called 'none'" in told
    assert "${env.LACKING} is not set; used in" in told
    assert "site.yaml:2" in told


TEAM = {"for_each": "${site.teams}"}
TEAMS = {
    "secrets": [
        {"name": "key", "generate": "hex8", **TEAM},
        {"name": "login", "data": {"pw": "${env.PW${item.SUFFIX}}"}, **TEAM},
    ],
    "releases": [
        {"name": "app", "chart": "app", "namespace": "app"},
        {"name": "team", "chart": "app", "namespace": "team${item.suffix}", "values": ["values.yaml"], **TEAM},
    ],
    "actions": [
        {"name": "enroll", "run": ["./enroll.sh", "--host=${item.host}"], "outputs": "json", "after": ["app"], **TEAM}
    ],
    "checks": [{"dns": "${item.host}", **TEAM}],
}
SETTINGS = {
    "teams": {"type": "array", "items": {"host": {"type": "string"}, "size": {"type": "integer", "default": 2}}}
}
TEAM_VALUES = "host: ${item.host}\nreplicas: ${item.size}\nkey: ${secret.key}\n"
TWO = "teams:\n  - {name: a, host: a.x}\n  - {name: b, host: b.x, size: 3}\n"


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose entries are repeated over a list of the site."""
    place = tmp_path_factory.mktemp("teams") / "project"
    return make_carried(place, values=TEAM_VALUES, install=TEAMS, site=SETTINGS).bundle


def planned(receiver: Receiver) -> list[str]:
    """The steps of what is brought up, by name."""
    return [
        *named(namespace_steps(receiver)),
        *named(secret_steps(receiver)),
        *named(helm_steps(receiver)),
        *named(action_steps(receiver)),
    ]


def test_what_is_repeated_is_there_for_each_entry_of_the_sites_list(teams: Path, tmp_path: Path) -> None:
    receiver = with_site(teams, tmp_path / "state", TWO)
    assert planned(receiver) == [
        "namespace:app", "namespace:team-a", "namespace:team-b",
        "secret:key-a", "secret:key-b", "secret:login-a", "secret:login-b",
        "helm:app", "helm:team-a", "helm:team-b",
        "action:enroll-a", "action:enroll-b",
    ]  # fmt: skip
    assert [check.subject for check in receiver.carried.spec.install.checks] == [
        "${site.teams.a.host}",
        "${site.teams.b.host}",
    ]


def test_each_has_its_own_values(teams: Path, tmp_path: Path) -> None:
    text = f"{TWO}overrides: {{team-b: {{replicas: 9, at: '${{item.host}}', k: '${{secret.key}}'}}}}\n"
    receiver = with_site(teams, tmp_path / "state", text)
    receiver.project.env = {**ENV, "PW_A": "x", "PW_B": "y"}
    run(named(secret_steps(receiver)))
    kubectl, _ = cluster_of(receiver)
    keys = {each: kubectl.held(f"key-{each}", f"team-{each}")["value"] for each in "ab"}
    assert kubectl.held("login-b", "team-b") == {"pw": "y"}
    _, a, b = receiver.carried.spec.install.releases
    assert receiver.values(a).data == {"host": "a.x", "replicas": 2, "key": keys["a"]}
    assert receiver.values(b).data == {"host": "b.x", "replicas": 9, "key": keys["b"], "at": "b.x", "k": keys["b"]}


def test_another_entry_changes_nothing_of_the_others(teams: Path, tmp_path: Path) -> None:
    before = with_site(teams, tmp_path / "state", TWO)
    (tmp_path / "state/site.yaml").write_text(f"{TWO}  - {{name: c, host: c.x}}\n")
    after = receiving(teams, tmp_path / "state")
    for receiver in (before, after):
        receiver.project.env = {**ENV, "PW_A": "x", "PW_B": "y", "PW_C": "z"}
    after.cluster.kubectl = before.cluster.kubectl
    run(named(secret_steps(after)))
    old, new = ({name: step.inputs() for name, step in named(values_steps(each)).items()} for each in (before, after))
    assert new.items() > old.items()
    assert new.keys() - old.keys() == {"values:team-c"}


def test_what_came_of_an_entry_that_is_gone_is_told_and_stays(teams: Path, tmp_path: Path) -> None:
    before = with_site(teams, tmp_path / "state", TWO)
    (tmp_path / "state/site.yaml").write_text("teams: [{name: a, host: a.x}]\n")
    after = receiving(teams, tmp_path / "state")
    for receiver in (before, after):
        receiver.project.env = {**ENV, "PW_A": "x", "PW_B": "y"}
    run(named(secret_steps(before)))
    kubectl, helm = cluster_of(before)
    for release in before.carried.spec.install.releases:
        helm.put(release.name, release.namespace)
    after.cluster.kubectl, after.cluster.helm = kubectl, helm
    (receipt,) = receipt_steps(before)
    receipt.action()
    found = left_over(after)
    assert [(each.name, each.namespace) for each in found.releases] == [("team-b", "team-b")]
    assert [each.name for each in found.secrets] == ["key-b", "login-b"]
    changes = list(kubectl.changes)
    run(named(secret_steps(after)))
    assert (kubectl.changes, helm.changes) == (changes, [])


def test_all_that_is_wrong_with_the_list_is_told_with_all_else(teams: Path, tmp_path: Path) -> None:
    text = (
        "zzz: 1\nteams: [{name: a, hots: x}, {name: a, host: y}, {host: z}, {name: b, host: h, size: many}]\n"
        "overrides: {team-c: {a: 1}, team: {b: 1}}\n"
    )
    receiver = with_site(teams, tmp_path / "state", text)
    receiver.project.env = {"PATH": "/usr/bin", "PW_A": "x"}
    with pytest.raises(SpecError) as caught:
        receiver.environment()
    told = "\n".join(caught.value.problems)
    for each in (
        "unknown setting 'zzz'",
        "'teams', entry 1: unknown setting 'hots'; did you mean 'host'?",
        "'teams', entry 2: the name 'a' is taken",
        "'teams', entry 3 has no 'name'",
        "'teams', entry 4: setting 'size' is 'many', expected a whole number",
        "undefined ${site.teams.a.host}",
        "no release is called 'team-c'; expected one of: app, team-a, team-b; did you mean 'team-",
        "no release is called 'team'; expected one of",
        "${env.PW_B} is not set",
    ):
        assert each in told
    assert "PW_A" not in told


def test_a_site_without_the_list(teams: Path, tmp_path: Path) -> None:
    receiver = with_site(teams, tmp_path / "state", "{}\n")
    assert planned(receiver) == ["namespace:app", "helm:app"]
    with pytest.raises(SpecError) as caught:
        receiver.environment()
    (told,) = caught.value.problems
    assert "has no 'teams'; used in 'for_each'" in told
