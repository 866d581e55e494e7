"""Registries as sites have them: with a login, with their own CA, and with every way of saying no."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.parts.clusters import Cluster, free_ports
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.servers.faulty_registry import OFTEN, Fault, FaultyRegistry, faulty_registry, instead, refusal

pytestmark = pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def push_to(site: Site, host: str, **settings: object) -> None:
    """Images go to this host, reached as told."""
    site.bench.spec["registry"] = {"prefix": f"{host}/{site.namespace}"}
    site.bench.spec["registries"] = {host: settings}
    site.carry()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (refusal(401, "UNAUTHORIZED", "authentication required"), ("401", "log in: docker login ")),
        (refusal(403, "DENIED", "requested access is denied"), ("403", "ask for the right to push to ")),
        (refusal(429, "TOOMANYREQUESTS", "slow down"), ("429", "next: ", "limits how often it may be asked")),
        (refusal(500, "UNKNOWN", "no space left on device"), ("500", "next: check the log and the free space of ")),
        (instead(507), ("507", "is full: free some space there")),
    ],
    ids=["401", "403", "429", "500", "507"],
)
def test_a_refusal_is_told_before_any_change(
    site: Site, faulty: FaultyRegistry, fault: Fault, told: tuple[str, ...]
) -> None:
    faulty.plan("POST /v2", *[fault] * OFTEN)
    push_to(site, faulty.host, plain_http=True)
    ran = site.refused()
    for text in (f"registry {faulty.host}: can't push to {faulty.host}/{site.namespace}", *told):
        assert text in ran.err
    assert ran.steps == ["verify"]
    assert site.is_untouched


def test_a_fault_that_passes_is_tried_again_and_one_that_stays_names_the_image(
    site: Site, faulty: FaultyRegistry
) -> None:
    """Half-way this time, after a good preflight."""
    faulty.plan(f"PUT /v2/{site.namespace}/web/blobs", instead(507))
    push_to(site, faulty.host, plain_http=True)
    ran = site.refused()
    assert "FAILED transfer: image 'web'" in ran.err
    assert "507" in ran.err
    assert "preflight" in ran.steps
    assert site.revision("web") == 0
    faulty.plan(f"PUT /v2/{site.namespace}/web/blobs", instead(500), instead(429, Retry_After="0"))
    assert "push:web" in site.install().steps


def test_a_closed_port_is_told_once_before_any_change(site: Site) -> None:
    (port,) = free_ports(1)
    push_to(site, f"127.0.0.1:{port}", plain_http=True)
    ran = site.refused()
    assert f"registry 127.0.0.1:{port}: " in ran.err
    assert ran.err.count("refused") == 1
    assert site.is_untouched


def test_a_login_from_dockers_config(site: Site, auth_registry: RunningRegistry) -> None:
    push_to(site, auth_registry.host, plain_http=True)
    none = site.refused()
    assert f"next: log in: docker login {auth_registry.host}" in none.err
    config = site.place / "docker/config.json"
    for password, right in (("wrong-password", False), (auth_registry.password, True)):
        login = base64.b64encode(f"{auth_registry.username}:{password}".encode()).decode()
        config.write_text(json.dumps({"auths": {auth_registry.host: {"auth": login}}}))
        if right:
            ran = site.install()
        else:
            ran = site.refused()
            assert f"check the login from {config}" in ran.err
            assert site.is_untouched
        assert password not in ran.out + ran.err
        assert login not in ran.out + ran.err
    assert auth_registry.password.encode() not in site.everything_written()
    assert site.install().steps == []


def test_a_ca_that_the_bundle_carries(site: Site, tls_registry: RunningRegistry) -> None:
    assert tls_registry.ca
    push_to(site, tls_registry.host)
    unknown = site.refused()
    assert f"registry {tls_registry.host}: " in unknown.err
    assert f"registries: {{{tls_registry.host}: {{ca: FILE}}}}" in unknown.err
    other = site.bench.place / "certs/other.crt"
    other.parent.mkdir()
    trustme.CA().cert_pem.write_to_path(other)
    push_to(site, tls_registry.host, ca="certs/other.crt")
    assert "FAILED preflight" in site.refused().err
    assert site.is_untouched
    (site.bench.place / "certs/ca.crt").write_bytes(tls_registry.ca.read_bytes())
    push_to(site, tls_registry.host, ca="certs/ca.crt")
    assert (site.carried / "install/certs/ca.crt").is_file()
    assert "push:web" in site.install().steps


def test_an_expired_certificate(site: Site) -> None:
    authority = trustme.CA()
    certs = site.bench.place / "certs"
    certs.mkdir()
    authority.cert_pem.write_to_path(certs / "ca.crt")
    issued = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    issued.private_key_and_cert_chain_pem.write_to_path(site.place / "server.pem")
    with faulty_registry(certificate=site.place / "server.pem") as registry:
        push_to(site, registry.host, ca="certs/ca.crt")
        ran = site.refused()
    assert f"registry {registry.host}: " in ran.err
    assert "expired" in ran.err
    assert site.is_untouched
