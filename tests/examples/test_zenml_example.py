"""The flagship: the root's airgap.yaml and what it uses."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from bundle.errors import SpecError
from schema.loading.load import load
from schema.loading.values import read_all
from schema.site.example import example
from schema.site.settings import Settings, completed
from schema.site.site import Site
from schema.site.uses import known_uses, uses
from schema.spec.carried import carried_files
from schema.spec.spec import Spec
from schema.spec.switch import switched
from schema.syntax.template import Name
from schema.values.values import counting, release_values
from tests.fixtures.places import ROOT

EXAMPLE = ROOT / "examples" / "zenml-pro"
DOCS = ROOT / "docs" / "zenml-pro"
IMPLEMENTATION = "ZENML_SERVER_WORKLOAD_MANAGER_IMPLEMENTATION"
MANAGER = "ZENML_KUBERNETES_WORKLOAD_MANAGER_"
SITE = completed(Site.load(EXAMPLE / "site.example.yaml"), load(ROOT / "airgap.yaml", env={}).settings)


def loaded(place: Path, **variables: str) -> Spec:
    """The spec with other variables."""
    written = yaml.safe_load((ROOT / "airgap.yaml").read_text())
    written["vars"].update(variables)
    (place / "airgap.yaml").write_text(yaml.safe_dump(written))
    for name in ("examples", "docs"):
        (place / name).symlink_to(ROOT / name)
    return load(place / "airgap.yaml", env={})


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(ROOT / "airgap.yaml", env={})


def sources(spec: Spec) -> dict[str, str]:
    return {image.name: image.source_text for image in spec.images}


def test_one_switch_chooses_where_images_come_from(spec: Spec, tmp_path: Path) -> None:
    assert sources(spec)["zenml-pro-api"].startswith("715803424590.dkr.ecr.eu-west-1.amazonaws.com/zenml-pro-api:")
    assert sources(spec)["zenml-pro-server"].startswith("715803424590.dkr.ecr.eu-central-1.amazonaws.com/")
    google = loaded(tmp_path, origin="gcp")
    own = [source for name, source in sources(google).items() if name.startswith("zenml-pro")]
    assert len(own) == 3
    assert all(source.startswith("europe-west3-docker.pkg.dev/zenml-cloud/zenml-pro/") for source in own)
    assert [(each.base, each.target) for each in google.derived] == [(each.base, each.target) for each in spec.derived]
    targets = [image.target for image in google.images]
    assert targets == [image.target for image in spec.images], "inside nothing changes"


def test_another_switch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected one of: aws, gcp"):
        loaded(tmp_path, origin="azure")


def test_images_have_the_versions_of_their_charts(spec: Spec, tmp_path: Path) -> None:
    tags = {image.name: image.target.tag for image in spec.images}
    versions = {chart.name: chart.version for chart in spec.charts}
    assert tags["zenml-pro-api"] == tags["zenml-pro-dashboard"] == versions["zenml-pro"]
    assert tags["zenml-pro-server"] == tags["zenml-client"] == versions["zenml"]
    assert tags["zenml-client-py"] == f"{versions['zenml']}-py3.11"
    other = loaded(tmp_path, server="0.95.0")
    assert {image.target.tag for image in other.images} >= {"0.95.0", "0.95.0-py3.11", "0.13.0"}


@pytest.mark.parametrize(("server", "key"), [("0.93.0", "zenml"), ("0.94.1", "zenml"), ("0.94.2", "server")])
def test_the_key_of_the_workspaces_values_follows_its_version(tmp_path: Path, server: str, key: str) -> None:
    assert set(values(loaded(tmp_path, server=server), "zenml")) == {key, "imagePullSecrets", "resources"}


def lookup(name: Name) -> Any:
    """The example's facts, and a telling text for everything else."""
    return SITE.value(name) if name.space == "site" else f"<{name.space}.{name.rest}>"


def values(spec: Spec, release: str) -> dict[str, Any]:
    found = next(each for each in spec.install.releases if each.name == release)
    return dict(release_values(found, read_all(spec), lookup).data)


def test_the_example_site_has_every_fact_that_is_used(spec: Spec) -> None:
    used = sorted({use.name.rest for use in known_uses(spec, read_all(spec).values()) if use.name.space == "site"})
    for name in used:
        assert SITE.value(Name(space="site", rest=name)) is not None
    unused = [name for name in SITE.names() if not any(name == each or name.startswith(f"{each}.") for each in used)]
    assert unused == []


PULLING = ("zenml-runners", "zenml-pro-backups", "zenml-backups")  # their charts name the secret by `pullSecret`


def chart_values(name: str) -> Any:
    return yaml.safe_load((EXAMPLE / "charts" / name / "values.yaml").read_text())


def test_pull_secrets_reach_every_namespace_and_every_pod(spec: Spec) -> None:
    (secret,) = [each for each in spec.install.secrets if each.type == "docker-registry"]
    assert set(secret.namespaces) == {release.namespace for release in spec.install.releases}
    for release in ("zenml-pro", "zenml"):
        assert values(spec, release)["imagePullSecrets"] == [{"name": secret.name}]
    for release in PULLING:
        assert "pullSecret" not in values(spec, release)
    for chart in ("runners", "backups"):
        assert chart_values(chart)["pullSecret"] == secret.name


def test_a_registry_without_login_asks_for_none(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is made, none is named by a chart, and neither variable is asked for."""
    monkeypatch.setitem(SITE.facts, "registry_login", False)  # type: ignore[arg-type]
    here = switched(spec, SITE.found)
    assert [each.name for each in here.install.secrets if each.type == "docker-registry"] == []
    counted = counting(here.install.releases, read_all(spec), SITE.value)
    asked = {use.name.rest for use in uses(here, counted) if use.name.space == "env"}
    assert asked == {"CONTROL_PLANE_DATABASE_PASSWORD", "WORKSPACE_DATABASE_PASSWORD"}
    for release in spec.install.releases:
        assert "imagePullSecrets" not in values(spec, release.name)
    assert [values(spec, release)["pullSecret"] for release in PULLING] == ["", "", ""]


def test_tls_and_the_internal_ca_are_on_both_sides(spec: Spec) -> None:
    secrets = {secret.name: secret for secret in spec.install.secrets}
    for release, key, host in (("zenml-pro", "zenml", "zenml-pro"), ("zenml", "zenml", "zenml-workspace")):
        found = values(spec, release)[key]
        namespace = next(each.namespace for each in spec.install.releases if each.name == release)
        assert found["ingress"]["tls"]["enabled"] is True
        assert secrets[found["ingress"]["tls"]["secretName"]].namespaces == (namespace,)
        assert found["ingress"]["host"] == f"{host}.internal.mycompany.com"
        assert found["serverURL"] == f"https://{found['ingress']['host']}"
        assert found["certificates"]["customCAs"] == [
            {"name": "internal-ca", "certificate": "<file.tls/internal-ca.crt>"}
        ]
    pro = values(spec, "zenml")["zenml"]["pro"]
    assert pro["apiURL"] == "https://zenml-pro.internal.mycompany.com/api/v1"


def test_no_tag_stands_in_values(spec: Spec) -> None:
    for release in ("zenml-pro", "zenml"):
        assert "tag" not in str(values(spec, release))


def environment(spec: Spec, monkeypatch: pytest.MonkeyPatch, **workload: object) -> dict[str, str]:
    """What the workspace's server gets with these settings and the workload manager on."""
    monkeypatch.setitem(SITE.facts, "workload_manager", True)  # type: ignore[arg-type]
    monkeypatch.setitem(SITE.facts, "workload", {**SITE.facts["workload"], **workload})  # type: ignore[arg-type]
    found = values(spec, "zenml")["zenml"]["environment"]
    assert all(isinstance(value, str) for value in found.values()), "Kubernetes takes texts only"
    return dict(found)


def test_the_workload_manager_is_one_fact(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "environment" not in values(spec, "zenml")["zenml"]
    assert values(spec, "zenml-runners")["enabled"] is False
    assert environment(spec, monkeypatch) == {
        "ZENML_SERVER_WORKLOAD_MANAGER_IMPLEMENTATION_SOURCE": (
            "zenml_cloud_plugins.kubernetes_workload_manager.KubernetesWorkloadManager"
        ),
        f"{MANAGER}NAMESPACE": "zenml-runners",
        f"{MANAGER}SERVICE_ACCOUNT": "zenml-runner",
        f"{MANAGER}BUILD_RUNNER_IMAGE": "false",
        f"{MANAGER}RUNNER_IMAGE": "<image.zenml-client-ca.ref>",
        f"{MANAGER}POD_RESOURCES": '{"limits":{"memory":"700Mi"},"requests":{"cpu":"100m","memory":"400Mi"}}',
        f"{MANAGER}NODE_SELECTOR": "{}",
        f"{MANAGER}TOLERATIONS": "[]",
        f"{MANAGER}TTL_SECONDS_AFTER_FINISHED": "86400",
        "ZENML_SERVER_MAX_CONCURRENT_TEMPLATE_RUNS": "2",
    }
    assert values(spec, "zenml-runners")["enabled"] is True
    assert values(spec, "zenml-runners")["serviceAccount"] == "zenml-runner"


def test_nothing_of_the_workload_manager_is_there_while_it_is_off(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"implementation": "aws", "external_logs": True, "runner_image": "built", "job_retries": 2}
    monkeypatch.setitem(SITE.facts, "workload", {**SITE.facts["workload"], **asked})  # type: ignore[arg-type]
    assert "environment" not in values(spec, "zenml")["zenml"]


@pytest.mark.parametrize(("server", "key"), [("0.93.0", "zenml"), ("0.94.2", "server")])
@pytest.mark.parametrize("name", ["kubernetes", "aws", "gcp"])
def test_each_implementation_of_the_workload_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, server: str, key: str
) -> None:
    monkeypatch.setitem(SITE.facts, "workload_manager", True)  # type: ignore[arg-type]
    asked = {"implementation": name, "region": "eu-central-1"}
    monkeypatch.setitem(SITE.facts, "workload", {**SITE.facts["workload"], **asked})  # type: ignore[arg-type]
    found = values(loaded(tmp_path, server=server), "zenml")[key]["environment"]
    (source,) = re.findall(r"^zenml_cloud_plugins\.(\w+)\.(\w+)$", found[f"{IMPLEMENTATION}_SOURCE"])
    assert source[0].replace("_", "") == source[1].lower(), "a module and its class"
    assert source[0].startswith(name)
    region = {"ZENML_AWS_KUBERNETES_WORKLOAD_MANAGER_REGION": "eu-central-1"} if name == "aws" else {}
    assert {each: value for each, value in found.items() if "_AWS_" in each} == region


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param(
            {"external_logs": True, "bucket": "s3://logs/runs", "implementation": "aws", "region": "eu-west-1"},
            {
                f"{MANAGER}ENABLE_EXTERNAL_LOGS": "true",
                "ZENML_AWS_KUBERNETES_WORKLOAD_MANAGER_BUCKET": "s3://logs/runs",
                "ZENML_AWS_KUBERNETES_WORKLOAD_MANAGER_REGION": "eu-west-1",
            },
            id="external logs",
        ),
        pytest.param(
            {"runner_image": "named", "image": "r.corp/team/x:1"},
            {f"{MANAGER}RUNNER_IMAGE": "r.corp/team/x:1"},
            id="named",
        ),
        pytest.param({"runner_image": "reused"}, {f"{MANAGER}RUNNER_IMAGE": None}, id="reused"),
        pytest.param(
            {"runner_image": "built", "registry": "r.corp/runners"},
            {
                f"{MANAGER}BUILD_RUNNER_IMAGE": "true",
                f"{MANAGER}DOCKER_REGISTRY": "r.corp/runners",
                f"{MANAGER}RUNNER_IMAGE": None,
            },
            id="built",
        ),
        pytest.param({"job_retries": 0}, {f"{MANAGER}JOB_BACKOFF_LIMIT": "0"}, id="tries"),
        pytest.param(
            {"pod_failure_policy": {"rules": [{"action": "Ignore"}]}},
            {f"{MANAGER}POD_FAILURE_POLICY": '{"rules":[{"action":"Ignore"}]}'},
            id="policy",
        ),
        pytest.param({"service_account": "ours"}, {f"{MANAGER}SERVICE_ACCOUNT": "ours"}, id="account"),
    ],
)
def test_each_setting_of_the_workload_manager_is_a_variable(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, asked: dict[str, object], given: dict[str, str | None]
) -> None:
    plain = environment(spec, monkeypatch)
    found = environment(spec, monkeypatch, **asked)
    assert {name: found.get(name) for name in given} == given
    source = f"{IMPLEMENTATION}_SOURCE"
    assert {name for name in {**plain, **found} if plain.get(name) != found.get(name)} - {source} == set(given)


OPTIONAL = {"zenml-monitoring": "monitoring", "zenml-pro-backups": "backups", "zenml-backups": "backups"}


def test_what_is_off_by_default_is_not_there(spec: Spec) -> None:
    install = switched(spec, SITE.found).install
    assert {each.name: each.when for each in install.off} == {
        name: f"${{site.{setting}}}" for name, setting in OPTIONAL.items()
    }
    assert {each.name for each in spec.install.secrets} - {each.name for each in install.secrets} == {
        "backup-control-plane",
        "backup-database",
    }


def test_each_is_on_by_one_setting(spec: Spec) -> None:
    for name, setting in OPTIONAL.items():
        site = SITE.with_facts({**SITE.facts, setting: True})
        assert name in {each.name for each in switched(spec, site.found).install.releases}


def test_monitoring_watches_all_workspaces(spec: Spec) -> None:
    found = values(spec, "zenml-monitoring")
    assert found["enabled"] is True
    for release in spec.install.releases:
        own = release.namespace.replace("${item.suffix}", "-team-b")
        assert any(re.fullmatch(each, own) for each in found["namespaces"]), own


@pytest.mark.parametrize(("kind", "program"), [("mysql", "mariadb-dump"), ("postgres", "pg_dump")])
def test_the_cronjobs_dump_what_backup_dumps(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, kind: str, program: str
) -> None:
    """By the same arguments, with the passwords of secrets that install makes beside them."""
    control_plane = {**SITE.facts["control_plane"]["database"], "type": kind}
    monkeypatch.setitem(SITE.facts, "backups", True)  # type: ignore[arg-type]
    monkeypatch.setitem(SITE.facts["control_plane"], "database", control_plane)
    secrets = {each.name: each for each in spec.install.secrets}
    for release, dump, password in (
        ("zenml-pro-backups", "control-plane", "backup-control-plane"),
        ("zenml-backups", "workspace", "backup-database"),
    ):
        found = values(spec, release)
        assert (found["enabled"], found["application"]) == (True, spec.bundle.name)
        assert found["recipient"] == "<file.backup.crt>"
        ((name, job),) = found["dumps"].items()
        assert name == dump, "as restore-test looks for it"
        (secret,) = job["secrets"].values()
        assert secret == {"name": password, "key": "password"}
        assert list(secrets[password].data) == ["password"]
        namespace = next(each.namespace for each in spec.install.releases if each.name == release)
        assert secrets[password].namespaces == (namespace,)
        by_hand = dump_command("mysql" if dump == "workspace" else kind, job["command"])
        assert sorted(job["command"][1:]) == sorted(by_hand)
    assert values(spec, "zenml-pro-backups")["dumps"]["control-plane"]["command"][0] == program


def dump_command(kind: str, given: list[str]) -> list[str]:
    """The arguments of dump.py's program, for the host, port, user and database of these."""
    told = {word.partition("=")[0]: word.partition("=")[2] for word in given if "=" in word}
    user = told.get("--user", told.get("--username", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        dump = importlib.import_module("dump")
    asked = SimpleNamespace(kind=kind, host=told["--host"], port=told["--port"], user=user, database=given[-1])
    command = dump.command(asked, "x")
    assert isinstance(command, list)
    return command[1:]


def test_each_dump_is_tried_out_in_a_scratch_database(spec: Spec) -> None:
    """By one program, which is told what the dump is from; never with the password of that one."""
    for command in spec.install.backup.commands:
        assert command.restore
        run, (check,) = command.restore.run, command.restore.checks
        assert check.run == (*run, "--check")
        asked = dict(word.removeprefix("--").split("=", 1) for word in run if word.startswith("--"))
        assert asked["setting"].startswith("restore_test.")
        assert asked["into"].count(f"${{site.{asked['setting']}.") == 4
        own = dict(word.removeprefix("--").split("=", 1) for word in command.run if word.startswith("--"))
        assert asked["source"] == f"{own['host']}:{own['port']}/{own['database']}"
        assert asked["into"].partition("://")[0] == own["kind"]
        assert set(command.restore.env.values()).isdisjoint(command.env.values())


def test_without_backups_no_image_is_wanted(spec: Spec) -> None:
    """The proof renders the chart with the defaults, so that its image need not be in the bundle."""
    assert values(spec, "zenml-backups") == values(spec, "zenml-pro-backups") == {}


def test_resources_and_threads_are_settings(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"limits": {"memory": "2Gi"}}
    for name, release in (("control_plane", "zenml-pro"), ("workspace", "zenml")):
        assert values(spec, release)["resources"]["limits"] == {"memory": "1Gi"}
        monkeypatch.setitem(SITE.facts[name], "resources", own)
        assert values(spec, release)["resources"] == own
    monkeypatch.setitem(SITE.facts["workspace"], "threads", 20)
    server = values(spec, "zenml")["zenml"]
    assert server["threadPoolSize"] == server["database"]["poolSize"] == 20


def test_a_password_in_the_databases_address_is_percent_encoded(spec: Spec) -> None:
    url = values(spec, "zenml")["zenml"]["database"]["url"]
    assert url == (
        "mysql://zenml_workspace:%3Cenv.WORKSPACE_DATABASE_PASSWORD%3E@mysql.internal.mycompany.com:3306/zenml_workspace"
    )


def test_clients_with_the_internal_ca_are_made_inside(spec: Spec) -> None:
    assert [(each.name, each.base, each.target.tag) for each in spec.derived] == [
        ("zenml-client-ca", "zenml-client", "0.93.0"),
        ("zenml-client-py-ca", "zenml-client-py", "0.93.0-py3.11"),
    ]
    assert {each.add_ca for each in spec.derived} == {"${file.tls/internal-ca.crt}"}, "the site's, so not in the bundle"


def test_programs_and_values_travel(spec: Spec) -> None:
    names = {name.removeprefix("install/examples/zenml-pro/") for name in carried_files(spec)}
    assert {"enroll.py", "check_site.py", "check_backups.py", "dump.py", "restore.py"} <= names
    assert "check_workload.py" in names
    assert {str(path.relative_to(EXAMPLE)) for path in (EXAMPLE / "values").rglob("*.yaml")} <= names


def test_the_pages_that_messages_name_travel(spec: Spec) -> None:
    carried = {file.name for file in spec.files}
    said = spec.install.notes + (EXAMPLE / "check_site.py").read_text() + (EXAMPLE / "site.example.yaml").read_text()
    named = set(re.findall(r"files/([a-z]+\.md)", said))
    assert named == {"clients.md", "users.md"}
    assert named <= carried
    pages = [name for name in carried if name.endswith(".md")]
    linked = {name for page in pages for name in re.findall(r"\]\(([a-z]+\.md)", (DOCS / page).read_text())}
    assert linked <= carried
    assert {"users.py", "enroll.py"} <= carried, "one uses the other, which is beside it"


def test_the_control_plane_comes_first(spec: Spec) -> None:
    order = {release.name: {*release.needs, *release.after} for release in spec.install.releases}
    assert {"zenml-pro", "enroll"} <= order["zenml"]
    (enroll,) = spec.install.actions
    assert enroll.after == ("zenml-pro",)


def test_the_template_is_made_of_the_spec() -> None:
    """`doit bundle` writes the same into the bundle."""
    spec = load(ROOT / "airgap.yaml", env={})
    settings = Settings.of_spec(spec, read_all(spec).values())
    assert {each.name for each in spec.settings} == set(settings.known), "each is declared, and says what it is for"
    assert (EXAMPLE / "site.example.yaml").read_text() == example(settings, prefix=spec.registry.prefix)
    assert list(settings.faults(SITE)) == []


def blocks(page: str, key: str) -> list[str]:
    """The blocks of a page that have this key at their top."""
    found = [
        text
        for text in re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.S)
        if key in yaml.safe_load(text)
    ]
    assert found
    return found


@pytest.mark.parametrize("block", blocks("install.md", "workload_manager"), ids=["named", "AWS", "GCP", "built"])
def test_the_pages_settings_of_the_workload_manager_are_taken(spec: Spec, tmp_path: Path, block: str) -> None:
    (tmp_path / "site.yaml").write_text(block)
    own = Site.load(tmp_path / "site.yaml")
    assert list(Settings.of_spec(spec, read_all(spec).values()).faults(own)) == []
    site = completed(own, spec.settings)
    env = {**os.environ, "AIRGAP_SITE": json.dumps(site.plain())}
    argv = [sys.executable, str(EXAMPLE / "check_workload.py")]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    zenml = next(each for each in spec.install.releases if each.name == "zenml")
    look = lambda name: site.value(name) if name.space == "site" and site.found(name.rest) is not None else lookup(name)  # noqa: E731
    environment = release_values(zenml, read_all(spec), look).data["zenml"]["environment"]
    for name in ("image", "registry", "bucket", "region"):
        assert (asked := yaml.safe_load(block)["workload"].get(name, "")) in environment.values() or not asked


def test_any_other_variable_is_an_override(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the page has it: beside those of the bundle."""
    (block,) = blocks("install.md", "overrides")
    (tmp_path / "site.yaml").write_text(block)
    own = Site.load(tmp_path / "site.yaml").overrides
    bundled = environment(spec, monkeypatch)
    zenml = next(each for each in spec.install.releases if each.name == "zenml")
    changed = release_values(zenml, read_all(spec), lookup, own).data["zenml"]["environment"]
    asked = yaml.safe_load(block)["overrides"]["zenml"]["zenml"]["environment"]
    assert changed == {**bundled, **asked}
    assert all(isinstance(value, str) for value in changed.values())
