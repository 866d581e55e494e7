"""The flagship from end to end: bundled, carried, installed, enrolled, run again, extended, upgraded, rolled back."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundle.oci import media_types
from tests.fixtures.benches.site_bench import Site, steps
from tests.fixtures.benches.zenml_site import CONTROL_PLANE, TEAM, WORKSPACE, Flagship, Plane, flagship
from tests.fixtures.pages import block
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import CommandError, Engine, PartError
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = [pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"]), pytest.mark.database]

FIRST = {"zenml-pro": (1, "zenml-pro-0.13.0"), "zenml": (1, "zenml-0.93.0")}
KEPT = {"encryption-key": "zenml-workspace", "admin-password": "zenml-pro", "airgap-action-enroll": "zenml-pro"}


def test_the_whole_guide(tmp_path: Path, registry: RunningRegistry, helm: Helm, engine: Engine) -> None:
    try:
        with flagship(tmp_path, registry, helm) as (site, plane):
            site.versions(pro="0.13.0", server="0.93.0")
            site.carry()
            look_at_the_bundle(site, engine)
            nothing_wrong_gets_in(site)
            install(site, plane)
            run_again(site, plane)
            add_a_workspace(site, plane)
            leave_it_out(site)
            kept = {name: site.secret(name, namespace) for name, namespace in KEPT.items()}
            back_up(site)
            turn_the_workload_manager_on(site)
            site.versions(pro="0.14.0", server="0.94.2")
            site.carry()
            upgrade(site)
            assert {name: site.secret(name, namespace) for name, namespace in KEPT.items()} == kept
            roll_back(site)
    except PartError as err:
        pytest.skip(str(err))


def look_at_the_bundle(site: Site, engine: Engine) -> None:
    """As the guide draws it, every image of both charts accounted for, each archive for `docker load`."""
    names = {path.relative_to(site.carried).as_posix() for path in site.carried.rglob("*") if path.is_file()}
    images = ("zenml-pro-api", "zenml-pro-dashboard", "zenml-pro-server", "zenml-client", "zenml-client-py")
    assert {f"images/{name}.tar" for name in images} <= names
    assert {"charts/zenml-pro-0.13.0.tgz", "charts/zenml-0.93.0.tgz", "manifest.txt"} <= names
    text = (site.carried / "manifest.txt").read_text()
    for name, tag in (("zenml-pro-api", "0.13.0"), ("zenml-pro-server", "0.93.0"), ("zenml", "0.93.0-py3.11")):
        assert f"internal-registry.mycompany.com/zenml/{name}:{tag}" in text
    assert text.count(": proven") == 8, "those that a site switches on among them"
    for name in images:
        engine.docker("load", stdin=site.carried / f"images/{name}.tar")
    server = "internal-registry.mycompany.com/zenml/zenml-pro-server:0.93.0"
    assert "Hello from the other side" in engine.docker("run", "--rm", "--network", "none", server)


def nothing_wrong_gets_in(site: Flagship) -> None:
    """All that is wrong with the facts is told at once, before the first change."""
    right = site.facts
    site.facts = {**right, "workload_manager": "perhaps", "ingress_clas": "nginx"}
    told = site.refused().err
    assert "setting 'workload_manager' is 'perhaps', expected true or false" in told
    assert "unknown setting 'ingress_clas'; did you mean 'ingress_class'?" in told
    site.facts = {
        **right,
        "control_plane": {**right["control_plane"], "host": "zenml.cluster"},
        "workspace": {
            **right["workspace"],
            "database": {**right["workspace"]["database"], "port": right["control_plane"]["database"]["port"]},
        },
        "organization": "mycompany.com",
    }
    certificates = [site.inside / "tls" / f"{name}.crt" for name in ("control-plane", "workspace")]
    swap(certificates)
    told = site.refused().err
    swap(certificates)
    for name, host in (("workspace-tls", WORKSPACE), ("control-plane-tls", "zenml.cluster")):
        assert f"secret '{name}'" in told
        assert f"the certificate does not cover {host}" in told
    assert "it is not a full name: browsers know no domain 'cluster'" in told
    assert "does not greet as MySQL" in told
    site.facts = right
    with pytest.raises(CommandError):
        site.get("namespace", "zenml-pro")


def swap(certificates: list[Path]) -> None:
    """Put the content of each of two files into the other."""
    one, other = (path.read_bytes() for path in certificates)
    for path, content in zip(certificates, (other, one), strict=True):
        path.write_bytes(content)


def install(site: Flagship, plane: Plane) -> None:
    """Everything comes up in its order, and what people still do is told."""
    ran = site.install()
    order = [line.split()[0] for line in ran.out.splitlines() if line.startswith(("health:", "action:"))]
    assert order.index("health:zenml-pro") < order.index("action:enroll") < order.index("health:zenml")
    assert {name: site.revisions()[name] for name in FIRST} == FIRST
    assert not any("monitoring" in name or "backups" in name for name in site.revisions()), "off by default"
    assert "off at this site: release zenml-monitoring, by ${site.monitoring}" in site.run("plan", "install").out
    for namespace in ("zenml-pro", "zenml-workspace", "zenml-runners"):
        assert site.registry.host in site.secret("image-pull-secret", namespace)[".dockerconfigjson"]
    (workspace,) = plane.workspaces.values()
    assert (workspace["name"], workspace["by"]) == ("main", "operator")
    given = site.values_of("zenml", "zenml-workspace")["zenml"]
    assert given["pro"]["enrollmentKey"] == workspace["enrollment_key"]
    assert given["pro"]["apiURL"] == f"https://{CONTROL_PLANE}/api/v1"
    url = site.secret("zenml", "zenml-workspace")["ZENML_STORE_URL"]
    assert url.startswith("mysql://zenml_workspace:p%40ss%2Fw%3Ard%25two@127.0.0.1:")
    assert len(site.secret("zenml", "zenml-workspace")["ZENML_SECRETS_STORE_ENCRYPTION_KEY"]) == 64
    for name, namespace, host in (("zenml-pro", "zenml-pro", CONTROL_PLANE), ("zenml", "zenml-workspace", WORKSPACE)):
        (tls,) = site.get("ingress", name, namespace)["spec"]["tls"]
        assert tls["hosts"] == [host]
        assert "BEGIN CERTIFICATE" in site.secret(tls["secretName"], namespace)["tls.crt"]
        budget = site.get("poddisruptionbudget", name, namespace)
        assert (budget["spec"]["minAvailable"], budget["status"]["currentHealthy"]) == (1, 2)
    assert f"zenml login --pro-api-url https://{CONTROL_PLANE}/api/v1" in ran.out
    assert f"pipelines build on {site.registry.host}/flagship/zenml-ca:0.93.0-py3.11, which" in ran.out
    told, written = (ran.out + ran.err).encode(), site.everything_written()
    for secret in (workspace["enrollment_key"], *(site.env[name] for name in site.env if name.endswith("PASSWORD"))):
        assert secret.encode() not in told + written


def run_again(site: Flagship, plane: Plane) -> None:
    """Nothing is done, and nobody is asked."""
    before, asked = site.revisions(), len(plane.asked)
    assert site.install().steps == []
    assert site.revisions() == before
    assert plane.asked[asked:] == []


def add_a_workspace(site: Flagship, plane: Plane) -> None:
    """An entry of the site file and no new bundle: all of its own; nothing of the first one is touched."""
    before, key = site.revisions(), site.secret("encryption-key", "zenml-workspace")
    port = site.facts["workspace"]["database"]["port"]
    database = {"host": "127.0.0.1", "port": port, "name": "zenml_workspace", "user": "team_b"}
    site.facts["workspaces"] = [{"name": "team-b", "host": TEAM, "database": database}]
    told = site.refused().err
    assert "${env.WORKSPACE_DATABASE_PASSWORD_TEAM_B} is not set" in told
    site.env["WORKSPACE_DATABASE_PASSWORD_TEAM_B"] = "password-of-b"
    assert "workspaces 'main' and 'team-b' have one database, 'zenml_workspace'" in site.refused().err
    database["name"] = "zenml_team_b"
    listed = site.run("list", "--all").out
    for step in ("helm:zenml-team-b", "action:enroll-team-b", "secret:encryption-key-team-b", "helm:zenml"):
        assert re.search(rf"^{step}\s", listed, re.MULTILINE)
    ran = site.install()
    own = ["action:enroll-team-b", "helm:zenml-availability-team-b", "helm:zenml-runners-team-b", "helm:zenml-team-b"]
    assert sorted(re.findall(r"^(?:helm|action):\S+", ran.out, re.MULTILINE)) == own
    assert site.revisions() == before
    assert site.secret("encryption-key", "zenml-workspace") == key
    own_key = site.secret("encryption-key-team-b", "zenml-workspace-team-b")
    assert own_key["value"] != key["value"]
    held = site.secret("zenml-team-b", "zenml-workspace-team-b")
    assert held["ZENML_SECRETS_STORE_ENCRYPTION_KEY"] == own_key["value"]
    assert held["ZENML_STORE_URL"].startswith("mysql://team_b:password-of-b@127.0.0.1:")
    main, team = plane.workspaces.values()
    assert (main["name"], team["name"]) == ("main", "team-b")
    given = site.values_of("zenml-team-b", "zenml-workspace-team-b")["zenml"]
    assert (given["pro"]["workspaceID"], given["serverURL"]) == (team["id"], f"https://{TEAM}")
    assert given["pro"]["organizationID"] == main["organization"]["id"]
    budget = site.get("poddisruptionbudget", "zenml", "zenml-workspace-team-b")
    assert (budget["spec"]["minAvailable"], budget["status"]["currentHealthy"]) == (1, 2)
    assert site.install().steps == []


def leave_it_out(site: Flagship) -> None:
    """Nothing is removed because an entry is gone."""
    del site.facts["workspaces"]
    for kind in ("crt", "key"):
        (site.inside / f"tls/workspace-team-b.{kind}").unlink()
    assert steps(site.install(), "helm", "action", "secret", "namespace") == []
    assert site.values_of("zenml-team-b", "zenml-workspace-team-b")


def back_up(site: Flagship) -> None:
    """The page's checklist, run as it stands."""
    script = f"set -eo pipefail\n{block('backup.md', 'umask 077')}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=site.inside, env=dict(site.helm.env), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place = site.inside / "backup"
    held = yaml.safe_load((place / "values-zenml.yaml").read_text())
    assert held["zenml"]["pro"]["workspaceName"] == "main"
    assert "chart: zenml-pro-0.13.0" in (place / "releases.yaml").read_text()
    secrets = yaml.safe_load((place / "secrets-zenml-pro.yaml").read_text())["items"]
    assert {each["metadata"]["name"] for each in secrets} >= {"admin-password", "airgap-action-enroll"}
    assert "encryption-key" in (place / "secrets-zenml-workspace.yaml").read_text()
    assert (place / "expiry.txt").read_text().count("notAfter=") == 3
    assert {path.stat().st_mode & 0o077 for path in place.iterdir() if path.is_file()} == {0}


def turn_the_workload_manager_on(site: Flagship) -> None:
    """One fact: its objects, its rights and the workspace's environment; nothing else changes."""
    place, accept = "/v2/flagship/zenml-ca", {"Accept": media_types.OCI_MANIFEST}
    manifest = json.loads(site.registry.request("GET", f"{place}/manifests/0.93.0-py3.11", headers=accept).data)
    config = json.loads(site.registry.request("GET", f"{place}/blobs/{manifest['config']['digest']}").data)
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in config["config"]["Env"]
    account = ("--as=system:serviceaccount:zenml-workspace:zenml", "-n", "zenml-runners")
    with pytest.raises(CommandError):
        site.get("serviceaccount", "zenml-runner", "zenml-runners")
    site.facts |= {"workload_manager": True, "workload": {"implementation": "aws", "external_logs": True}}
    build = {"ZENML_KUBERNETES_WORKLOAD_MANAGER_BUILD_RUNNER_IMAGE": "true"}
    site.facts["overrides"] = {"zenml": {"zenml": {"environment": build}}}
    told = site.refused().err
    for part in ("workload.region is empty", "workload.bucket is empty", "is true, and nothing could build"):
        assert part in told
    del site.facts["overrides"]
    site.facts["workload"] |= {"region": "eu-central-1", "bucket": "s3://logs/runs"}
    ran = site.install()
    assert steps(ran, "helm", "action", "push") == ["helm:zenml", "helm:zenml-runners"]
    (pull,) = site.get("serviceaccount", "zenml-runner", "zenml-runners")["imagePullSecrets"]
    assert pull == {"name": "image-pull-secret"}
    rights = {"create": "jobs", "get": "jobs", "deletecollection": "jobs", "list": "pods"}
    for verb, kind in rights.items():
        assert site.helm.cluster.kubectl("auth", "can-i", verb, kind, *account).strip() == "yes"
    assert site.helm.cluster.kubectl("auth", "can-i", "get", "pods", "--subresource=log", *account).strip() == "yes"
    for verb, kind in (("delete", "pods"), ("get", "secrets"), ("list", "jobs")):
        with pytest.raises(CommandError):
            site.helm.cluster.kubectl("auth", "can-i", verb, kind, *account)
    container = site.get("deployment", "zenml", "zenml-workspace")["spec"]["template"]["spec"]["containers"][0]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env["ZENML_KUBERNETES_WORKLOAD_MANAGER_RUNNER_IMAGE"] == f"{site.registry.host}/flagship/zenml-ca:0.93.0"
    assert env["ZENML_KUBERNETES_WORKLOAD_MANAGER_BUILD_RUNNER_IMAGE"] == "false"
    assert env["ZENML_AWS_KUBERNETES_WORKLOAD_MANAGER_BUCKET"] == "s3://logs/runs"
    assert env["ZENML_SERVER_WORKLOAD_MANAGER_IMPLEMENTATION_SOURCE"].endswith(".AWSKubernetesWorkloadManager")


def upgrade(site: Flagship) -> None:
    """Not without a backup; then the control plane first, the workspace with the key that its new chart wants."""
    told = site.refused().err
    for chart, to in (("zenml-pro-0.13.0", "zenml-pro-0.14.0"), ("zenml-0.93.0", "zenml-0.94.2")):
        assert f"it would go from chart {chart} to {to}, and there is no backup of it" in told
    assert site.revisions()["zenml-pro"] == FIRST["zenml-pro"]
    kept = site.run("backup", f"key={site.backup_key()}")
    assert kept.code == 0, kept.err
    assert "dump control-plane: encrypted" in kept.out
    assert "dump workspace: encrypted" in kept.out
    jwt = site.secret("zenml", "zenml-workspace")["ZENML_SERVER_JWT_SECRET_KEY"]
    ran = site.install()
    order = [line.split()[0] for line in ran.out.splitlines() if line.startswith(("helm:", "health:", "action:"))]
    assert order.index("health:zenml-pro") < order.index("helm:zenml")
    assert "action:enroll" not in order, "the workspace is known"
    found = site.revisions()
    assert found["zenml-pro"] == (2, "zenml-pro-0.14.0")
    assert found["zenml"] == (3, "zenml-0.94.2")
    given: Any = site.values_of("zenml", "zenml-workspace")
    assert set(given) == {"server", "imagePullSecrets", "resources"}
    assert "the chart has no value" not in ran.out
    assert site.secret("zenml", "zenml-workspace")["ZENML_SERVER_JWT_SECRET_KEY"] == jwt


def roll_back(site: Flagship) -> None:
    """Both are what they were; the database is for people to restore."""
    ran = site.run("rollback")
    assert ran.code == 0, ran.out + ran.err
    found = site.revisions()
    assert found["zenml-pro"] == (3, "zenml-pro-0.13.0")
    assert found["zenml"] == (4, "zenml-0.93.0")
    container = site.get("deployment", "zenml", "zenml-workspace")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"{site.registry.host}/flagship/zenml-pro-server:0.93.0"
