"""Probes against real databases, and checks against real registries and a real cluster."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from clients.cluster.kubectl import Kubectl
from clients.http.credentials import Credentials
from clients.preflight.cluster import cluster as check_cluster
from clients.preflight.databases import mysql, postgres
from clients.preflight.findings import Findings
from clients.preflight.needs import ApiKind, ClusterNeeds
from clients.preflight.probes import http
from clients.preflight.rights import Rights
from clients.preflight.roles import as_yaml, role_objects, subject
from clients.preflight.site import registry as check_registry
from clients.preflight.tls import tls
from tests.fixtures.parts.clusters import Cluster, asset
from tests.fixtures.parts.databases import mariadb, postgresql
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry, TlsFiles


@contextmanager
def part() -> Iterator[None]:
    """A database that is not installed skips the test."""
    try:
        yield
    except PartError as err:
        pytest.skip(str(err))


@pytest.mark.database
def test_mariadb() -> None:
    with part(), mariadb() as port:
        assert mysql(f"127.0.0.1:{port}") == ()
        assert mysql(f"127.0.0.1:{port}", min_version="10.5", kind="MariaDB") == ()
        (old,) = mysql(f"127.0.0.1:{port}", min_version="99.1", kind="MariaDB")
        assert old.what == "the server is too old"
        (other,) = mysql(f"127.0.0.1:{port}", min_version="8.0")
        assert (other.severity, other.observed.partition(".")[0]) == ("warning", "MariaDB 10")
        (wrong,) = postgres(f"127.0.0.1:{port}")
        assert "does not greet as PostgreSQL" in wrong.what


@pytest.mark.database
def test_mariadb_that_does_not_allow_this_host() -> None:
    sql = "DELETE FROM mysql.global_priv;\nFLUSH PRIVILEGES;\nCREATE USER olga@'10.9.9.9';\n"
    with part(), mariadb("--skip-name-resolve", sql=sql) as port:
        (found,) = mysql(f"127.0.0.1:{port}")
    assert "Host '127.0.0.1' is not allowed to connect" in found.what
    assert "error 1130" in found.what


@pytest.mark.database
def test_postgresql(tls_files: TlsFiles) -> None:
    with part(), postgresql({}) as port:
        assert postgres(f"127.0.0.1:{port}") == ()
        (wrong,) = mysql(f"127.0.0.1:{port}")
        assert "does not greet as MySQL" in wrong.what
    certificate, key = tls_files.certificate.read_text(), tls_files.key.read_text()
    with part(), postgresql({"server.crt": certificate, "server.key": key}, ssl="on") as port:
        assert postgres(f"127.0.0.1:{port}") == ()


@pytest.mark.database
def test_postgresql_that_has_no_rule_for_this_host() -> None:
    with part(), postgresql({"pg_hba.conf": "hostssl all all ::1/128 scram-sha-256\n"}) as port:
        assert postgres(f"127.0.0.1:{port}") == ()


Check = Callable[..., Findings]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Checks `HOST/probe/app` on a registry, with a login where one is given."""

    def run(target: RunningRegistry, *, login: str = "", trusted: bool = True) -> Findings:
        username, _, password = login.partition(":")
        entry = {target.host: {"username": username, "password": password}} if login else {}
        (tmp_path / "config.json").write_text(json.dumps({"auths": entry}))
        return check_registry(
            [Reference.parse(f"{target.host}/probe/app:1")],
            hosts={target.host: target.settings} if trusted else {},
            credentials=Credentials({"DOCKER_CONFIG": str(tmp_path)}),
            environment={},
        )

    return run


def test_a_registry_takes_pushes_and_keeps_nothing_of_the_try(check: Check, registry: RunningRegistry) -> None:
    with registry.recorded() as requests:
        assert check(registry) == ()
    assert [(each.method, each.status) for each in requests] == [("POST", 202), ("DELETE", 204)]
    # What this registry keeps of a cancelled upload is an empty hash, which it removes itself after a week.
    uploads = registry.data / "docker/registry/v2/repositories/probe/app/_uploads"
    assert not list(uploads.rglob("data"))
    assert registry.request(requests[1].method, requests[1].path).status == 404
    assert "probe/app" not in json.loads(registry.request("GET", "/v2/_catalog").data)["repositories"]


def test_a_registry_by_tls(check: Check, tls_registry: RunningRegistry) -> None:
    assert check(tls_registry) == ()
    (found,) = check(tls_registry, trusted=False)
    assert "is not trusted" in found.what
    assert f"{tls_registry.host}: {{ca: FILE}}" in found.hint
    assert tls(tls_registry.host, ca=tls_registry.ca) == ()
    assert http(f"{tls_registry.url}/v2/", ca=tls_registry.ca, text="{}") == ()
    (untrusted,) = tls(tls_registry.host)
    assert "issuer is not known here" in untrusted.what


def test_a_registry_that_wants_a_login(check: Check, auth_registry: RunningRegistry) -> None:
    assert check(auth_registry, login=f"{auth_registry.username}:{auth_registry.password}") == ()
    (anonymous,) = check(auth_registry)
    assert anonymous.hint == f"log in: docker login {auth_registry.host}"
    (wrong,) = check(auth_registry, login="olga:wr0ng")
    assert "401" in wrong.what
    assert "for olga" in wrong.hint
    assert "wr0ng" not in str(wrong)


NEEDS = ClusterNeeds(
    min_version="1.24",
    namespaces=["preflight-a"],
    kinds={
        "preflight-a": [
            ApiKind(api_version=version, kind=kind)
            for version, kind in (
                ("apps/v1", "Deployment"),
                ("v1", "Service"),
                ("batch/v1", "Job"),
                ("networking.k8s.io/v1", "Ingress"),
                ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            )
        ]
    },
    platforms={"api": [Platform.parse("linux/amd64")]},
)


def kubectl(kubeconfig: Path) -> Kubectl:
    return Kubectl(asset("kubectl"), kubeconfig=kubeconfig)


def lines(findings: Findings) -> list[str]:
    return [str(each).splitlines()[0] for each in findings]


def test_a_cluster_and_its_administrator(cluster: Cluster) -> None:
    assert lines(check_cluster(kubectl(cluster.kubeconfig), NEEDS)) == []


def test_what_a_cluster_lacks(cluster: Cluster) -> None:
    needs = ClusterNeeds(
        min_version="1.999",
        kinds={"preflight-a": [ApiKind(api_version="db.example.com/v1", kind="Database")]},
        platforms={"api": [Platform.parse("linux/s390x")]},
        ingress_class="nginx",
        storage_class="fast",
        pull_secrets={"default": ["pull"]},
        image_host="registry.test",
    )
    found = lines(check_cluster(kubectl(cluster.kubeconfig), needs))
    assert found[0].startswith("error: cluster: Kubernetes is too old: expected 1.999 or later, found 1.")
    assert found[1:] == [
        "error: cluster: no node can run image api: expected linux/s390x, found linux/amd64",
        "error: cluster: ingress class 'nginx' does not exist: expected nginx, found none",
        "error: cluster: storage class 'fast' does not exist: expected fast, found none",
        "error: cluster: it knows no Database (db.example.com/v1), which a chart brings up in namespace 'preflight-a'",
        "error: cluster: pull secret default/pull does not exist",
    ]


def test_an_account_without_rights(cluster: Cluster) -> None:
    findings = check_cluster(kubectl(cluster.login("nobody-in-particular")), NEEDS)
    found = lines(findings)
    assert any("warning: cluster: not checked:" in each and "nodes" in each for each in found)
    for resource in ("deployments.apps", "services", "jobs.batch", "ingresses.networking.k8s.io", "secrets"):
        assert any(f" {resource} in namespace 'preflight-a'" in each for each in found)
    assert any("clusterroles.rbac.authorization.k8s.io in the whole cluster" in each for each in found)


def test_the_roles_give_an_account_all_that_is_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    admin, account = kubectl(cluster.kubeconfig), kubectl(cluster.login("somebody-with-roles"))
    rights = Rights(admin)
    objects = role_objects(
        rights.wanted(NEEDS),
        name="preflight-install",
        subjects=[subject("User", "somebody-with-roles")],
        absent=rights.absent(NEEDS),
    )
    (tmp_path / "roles.yaml").write_text(as_yaml(objects))
    cluster.kubectl("apply", "-f", str(tmp_path / "roles.yaml"))
    assert lines(check_cluster(account, NEEDS)) == []


def test_a_cluster_that_is_not_there(cluster: Cluster, tmp_path: Path) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(json.dumps(config))
    (found,) = check_cluster(kubectl(elsewhere), NEEDS)
    assert found.hint
