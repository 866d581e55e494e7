"""Free space, and registries that take pushes or say why not. Nothing of a try stays behind."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from clients.http.credentials import Credentials
from clients.preflight import site
from clients.preflight.findings import Findings
from clients.preflight.site import _PATIENT, disk, registry
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.servers.faulty_registry import Fault, FaultyRegistry, faulty_registry, instead, refusal

Check = Callable[..., Findings]
UPLOADS = "/v2/shop/api/blobs/uploads/"


@pytest.fixture
def check(logins: Path, meter: RecordingMeter, pauses: list[float]) -> Check:
    """Checks the repositories on a stand-in, by plain HTTP unless told otherwise. Pauses are not waited for."""

    def run(
        host: str, *paths: str, settings: HostSettings | None = None, also: str = "",
        kinds: dict[str, list[str]] | None = None,
    ) -> Findings:  # fmt: skip
        environment = {"DOCKER_CONFIG": str(logins.parent)}
        return registry(
            [Reference.parse(f"{host}/{path}") for path in paths or ("shop/api:1",)],
            hosts={host: settings or HostSettings(plain_http=True), also: HostSettings(plain_http=True)},
            credentials=Credentials(environment),
            environment={},
            meter=meter,
            retry=replace(_PATIENT, sleep=pauses.append, random=lambda: 1.0),
            kinds=kinds,
        )

    return run


def began(location: str = f"{UPLOADS}one?state=x") -> Fault:
    return instead(202, Location=location)


def log_in(logins: Path, host: str) -> None:
    entry = {"username": "olga", "password": "s3cret"}
    logins.write_text(json.dumps({"auths": {host: entry}}))


def test_a_push_is_begun_and_cancelled(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan(f"POST {UPLOADS}", began())
    faulty.plan("DELETE ", instead(204))
    assert check(faulty.host) == ()
    assert [(seen.method, seen.path) for seen in faulty.seen] == [
        ("POST", UPLOADS),
        ("DELETE", f"{UPLOADS}one?state=x"),
    ]


def test_a_registry_that_does_not_cancel_is_fine(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", began())
    faulty.plan("DELETE ", refusal(405, "UNSUPPORTED", "no"))
    assert check(faulty.host) == ()


def test_each_project_is_tried_once(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", began(), began(), began())
    assert check(faulty.host, "shop/web:1", "shop/api:1", "shop/deep/db:2", "tools/x:1", "alone:1") == ()
    assert [seen.path for seen in faulty.requests("POST ")] == [
        "/v2/alone/blobs/uploads/",
        "/v2/shop/api/blobs/uploads/",
        "/v2/tools/x/blobs/uploads/",
    ]


def test_the_login_never_goes_to_another_host(
    check: Check, faulty: FaultyRegistry, other: FaultyRegistry, logins: Path
) -> None:
    log_in(logins, faulty.host)
    challenge = instead(401, WWW_Authenticate='Basic realm="test"')
    faulty.plan("POST ", challenge, began(f"{other.url}/elsewhere"))
    assert check(faulty.host, also=other.host) == ()
    assert "authorization" in faulty.requests("POST ")[1].headers
    (cancelled,) = other.seen
    assert cancelled.method == "DELETE"
    assert "authorization" not in cancelled.headers


def test_a_token_is_asked_for_push(check: Check, faulty: FaultyRegistry) -> None:
    faulty.realm = f"{faulty.url}/token"
    wanted = f'Bearer realm="{faulty.realm}",service="test"'
    faulty.plan("POST ", instead(401, WWW_Authenticate=wanted), began())
    assert check(faulty.host) == ()
    (token,) = faulty.requests("GET /token")
    assert "scope=repository%3Ashop%2Fapi%3Apull%2Cpush" in token.path


@pytest.mark.parametrize(
    ("fault", "is_logged_in", "words", "hint"),
    [
        pytest.param(refusal(401, "UNAUTHORIZED", "who?"), False, "401 Unauthorized", "log in: docker login {host}",
                     id="401-anonymous"),
        pytest.param(refusal(401, "UNAUTHORIZED", "who?"), True, "401 Unauthorized",
                     "ask for the right to push to 'shop' on {host} for olga", id="401-login"),
        pytest.param(refusal(403, "DENIED", "read only user"), True, "403 Forbidden (DENIED: read only user)",
                     "ask for the right to push to 'shop' on {host} for olga", id="403"),
        pytest.param(refusal(404, "NAME_UNKNOWN", "project shop not found"), True,
                     "404 Not Found (NAME_UNKNOWN: project shop not found)",
                     "create the project or repository 'shop' on {host}", id="404"),
        pytest.param(refusal(405, "UNSUPPORTED", "read-only"), True, "405 Method Not Allowed",
                     "takes no pushes, as a mirror or in maintenance", id="405"),
    ],
)  # fmt: skip
def test_a_refused_push(
    check: Check, faulty: FaultyRegistry, logins: Path, fault: Fault, is_logged_in: bool, words: str, hint: str
) -> None:
    if is_logged_in:
        log_in(logins, faulty.host)
    faulty.plan("POST ", fault)
    (found,) = check(faulty.host)
    assert found.subject == f"registry {faulty.host}"
    assert found.what.startswith(f"can't push to {faulty.host}/shop/api: {faulty.host} answered ")
    assert words in found.what
    assert hint.format(host=faulty.host) in found.hint
    assert "s3cret" not in str(found)


def test_a_full_registry(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", *[instead(507)] * 6)
    (found,) = check(faulty.host)
    assert "507 Insufficient Storage" in found.what
    assert f"{faulty.host} is full" in found.hint


def test_a_registry_that_restarts_is_waited_for(
    check: Check, faulty: FaultyRegistry, meter: RecordingMeter, pauses: list[float]
) -> None:
    faulty.plan("POST ", *[instead(503)] * 5, began())
    assert check(faulty.host) == ()
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert meter.said[-1] == f"registry {faulty.host}: {faulty.host} answered 503; trying again in 4.0 s"
    faulty.plan("POST ", *[instead(503)] * 6, began())
    (found,) = check(faulty.host)
    assert "503 Service Unavailable; gave up after 6 attempts" in found.what


def test_a_registry_that_keeps_us_waiting_is_given_up_earlier(
    check: Check, faulty: FaultyRegistry, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clients.preflight.site._PATIENCE", -1.0)
    faulty.plan("POST ", *[instead(503)] * 2, began())
    (found,) = check(faulty.host)
    assert "503 Service Unavailable" in found.what
    assert pauses == []


def test_what_is_no_registry(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", instead(200, b"<html>", Content_Type="text/html"))
    (found,) = check(faulty.host)
    assert found.what == "it answers 200 where a registry begins an upload"


def test_a_host_that_is_not_reached_is_told_once(check: Check) -> None:
    (found,) = check("127.0.0.1:1", "shop/api:1", "tools/x:1")
    assert found.subject == "registry 127.0.0.1:1"
    assert found.what == "connection refused; gave up after 6 attempts"
    assert "can be reached from here" in found.hint


def test_an_unknown_host(check: Check) -> None:
    (found,) = check("registry.invalid")
    assert "host registry.invalid is not known" in found.what
    assert "DNS" in found.hint


def test_an_unknown_ca(check: Check, certificate: Path, ca: Path) -> None:
    with faulty_registry(certificate=certificate) as secure:
        (found,) = check(secure.host, settings=HostSettings())
        assert f"the certificate of {secure.host} is not trusted" in found.what
        assert found.hint.startswith("trust the CA that signed it on this machine (update-ca-certificates, or ")
        assert f"registries: {{{secure.host}: {{ca: FILE}}}}" in found.hint
        secure.plan("POST ", began())
        assert check(secure.host, settings=HostSettings(ca=ca)) == ()


def test_unreadable_logins_are_a_finding(check: Check, faulty: FaultyRegistry, logins: Path) -> None:
    logins.write_text("{")
    faulty.plan("POST ", instead(401, WWW_Authenticate='Basic realm="test"'))
    (found,) = check(faulty.host)
    assert str(logins) in found.what


def test_aws_ecr_is_asked_for_each_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(
        "clients.preflight.site._Pushing.findings", lambda _, target, _kinds: tried.append(target.path) or ()
    )
    host = "715803424590.dkr.ecr.eu-west-1.amazonaws.com"
    registry([Reference.parse(f"{host}/shop/{name}:1") for name in ("api", "web")], hosts={}, environment={})
    assert tried == ["shop/api", "shop/web"]


def test_enough_space(tmp_path: Path) -> None:
    assert disk({tmp_path / "not" / "yet" / "there": 1}) == ()


def test_too_little_space(tmp_path: Path) -> None:
    (found,) = disk({tmp_path / "state": 10**18})
    assert found.subject == f"disk {tmp_path / 'state'}"
    assert found.expected == "1000000 TB free"
    assert re.fullmatch(r"[0-9.]+ .?B on /.* \(\w+\)", found.observed), "the file system"
    assert found.hint.startswith("free ")


def test_what_goes_to_one_file_system_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "free_space", lambda _: (100, "/ (ext4)"))
    assert disk({tmp_path / "a": 60, tmp_path / "b": 40}) == ()
    (found,) = disk({tmp_path / "a": 60, tmp_path / "b": 41})
    assert (found.expected, found.observed) == ("101 B free", "100 B on / (ext4)")


def test_a_registry_with_a_fault_of_its_own_is_named_as_the_place_to_look(
    check: Check, faulty: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk there is answered so by the CNCF registry."""
    monkeypatch.setattr(site, "_PATIENCE", 0.0)
    faulty.plan("POST ", *[refusal(500, "UNKNOWN", "unknown error")] * 9)
    (found,) = check(faulty.host)
    assert f"{faulty.host} answered 500 Internal Server Error (UNKNOWN: unknown error)" in found.what
    assert found.hint == f"check the log and the free space of {faulty.host}: the fault is on its side"


KINDS = {media_types.DOCKER_MANIFEST: ["web", "api", "db", "old"], media_types.OCI_MANIFEST: ["new"]}


def test_a_registry_that_takes_no_docker_manifests(check: Check, faulty: FaultyRegistry) -> None:
    """As zot answers without its setting, however many projects there are."""
    faulty.plan("PUT /v2/shop/api/manifests/", refusal(415, "MANIFEST_INVALID", "unsupported media type"))
    (found,) = check(faulty.host, "shop/api:1", "tools/x:1", kinds=KINDS)
    assert found.severity == "error"
    assert found.what == (
        f"it does not take manifests of the media type {media_types.DOCKER_MANIFEST} (415), "
        "as 4 of the images have: 'web', 'api', 'db', ..."
    )
    assert 'zot: "compat": ["docker2s2"] below "http" in its configuration' in found.hint
    asked = [seen for seen in faulty.seen if seen.method == "PUT"]
    assert [seen.headers["content-type"] for seen in asked] == list(KINDS)
    assert not faulty.manifests, "what is asked with can't be stored"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429, 500, 503])
def test_what_says_nothing_of_the_media_type_is_no_finding(check: Check, faulty: FaultyRegistry, status: int) -> None:
    faulty.plan("PUT ", refusal(status, "MANIFEST_INVALID", "no"), refusal(status, "MANIFEST_INVALID", "no"))
    assert check(faulty.host, kinds=KINDS) == ()


def test_media_types_are_asked_for_only_where_pushing_is_allowed(check: Check, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", refusal(403, "DENIED", "read only"))
    (found,) = check(faulty.host, kinds=KINDS)
    assert "can't push" in found.what
    assert not faulty.requests("PUT ")
