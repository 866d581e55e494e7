"""Ports and web addresses."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from clients.preflight import _endpoints as endpoints
from clients.preflight.probes import http, not_from_pod, tcp
from tests.fixtures.servers.listeners import Handle, answering, dripping, listening, silence


def answer(status: str, body: str = "", *headers: str) -> Handle:
    """An HTTP server with this one answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return answering("\r\n".join(lines).encode())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_takes_connections(host: str) -> None:
    with listening(silence, host=host) as port:
        assert tcp(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") == ()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("127.0.0.1:1", "connection refused", id="refused"),
        pytest.param("127.0.0.1", "has no port", id="no-port"),
    ],
)
def test_a_port_that_does_not(target: str, words: str) -> None:
    (found,) = tcp(target)
    assert found.subject == f"tcp {target}"
    assert words in found.what
    assert found.hint


@pytest.mark.parametrize(
    ("handle", "status", "text"),
    [
        pytest.param(answer("200 OK", "all well"), 200, "", id="ok"),
        pytest.param(answer("200 OK", "all well"), 200, "well", id="text"),
        pytest.param(answer("401 Unauthorized"), 401, "", id="status"),
        pytest.param(answer("302 Found", "", "Location: http://127.0.0.1:1/"), 302, "", id="redirect-wanted"),
    ],
)
def test_an_answer_as_expected(handle: Handle, status: int, text: str) -> None:
    with listening(handle) as port:
        assert http(f"http://127.0.0.1:{port}/health?full=1", status=status, text=text) == ()


@pytest.mark.parametrize(
    ("handle", "text", "words", "expected", "observed"),
    [
        pytest.param(answer("503 Busy"), "", "another status", "200", "503", id="status"),
        pytest.param(
            answer("302 Found", "", "Location: https://idp.test/login?token=s3cret"), "", "another status", "200",
            "302, a redirect to idp.test", id="redirect",
        ),
        pytest.param(
            answer("301 Moved", "", "Location: /ui/"), "", "another status", "200", "301, a redirect to /ui/",
            id="redirect-relative",
        ),
        pytest.param(
            answer("200 OK", "<html>", "Content-Type: text/html"), "OK", "does not have the text", "'OK'",
            "text/html, 6 bytes without it", id="text",
        ),
    ],
)  # fmt: skip
def test_another_answer(handle: Handle, text: str, words: str, expected: str, observed: str) -> None:
    with listening(handle) as port:
        (found,) = http(f"http://127.0.0.1:{port}/", text=text)
    assert words in found.what
    assert (found.expected, found.observed) == (expected, observed)


INFO = answer(
    "200 OK", '{"version": "0.93.0", "ready": true, "count": 3, "none": null}', "Content-Type: application/json"
)


@pytest.mark.parametrize(
    ("handle", "members", "found"),
    [
        pytest.param(INFO, {"version": "0.93.0", "ready": "true", "count": "3", "none": "null"}, [], id="all"),
        pytest.param(
            INFO, {"version": "0.94.0", "id": "x"},
            [("its answer has another 'version'", "'0.94.0'", "'0.93.0'"),
             ("its answer has another 'id'", "'x'", "'none'")], id="others",
        ),
        pytest.param(
            answer("200 OK", "<html>", "Content-Type: text/html"), {"version": "1"},
            [("its answer is no JSON object", "one", "text/html, 6 bytes")], id="a dashboard",
        ),
        pytest.param(
            answer("200 OK", "[]"), {"version": "1"}, [("its answer is no JSON object", "one", "no type, 2 bytes")],
            id="a list",
        ),
    ],
)  # fmt: skip
def test_members_of_an_answer(handle: Handle, members: dict[str, str], found: list[tuple[str, str, str]]) -> None:
    with listening(handle) as port:
        findings = http(f"http://127.0.0.1:{port}/api/v1/info", members=members)
    assert [(each.what, each.expected, each.observed) for each in findings] == found


@pytest.mark.parametrize(
    "handle",
    [pytest.param(answering(b""), id="hangs-up"), pytest.param(answering(b"220 mail.test\r\n"), id="not-http")],
)
def test_no_answer(handle: Handle) -> None:
    with listening(handle) as port:
        (found,) = http(f"http://127.0.0.1:{port}/")
    assert "gives no answer over HTTP" in found.what
    assert f"127.0.0.1:{port}" in found.hint


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.preflight.probes.TIMEOUT", 0.1)
    with listening(silence) as port:
        (found,) = http(f"http://127.0.0.1:{port}/")
    assert "gives no answer over HTTP" in found.what


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"])
def test_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr("clients.preflight.probes.TIMEOUT", 0.2)
    with listening(dripping(begin)) as port:
        (found,) = http(f"http://127.0.0.1:{port}/", text="well")
    assert "gives no answer over HTTP" in found.what


@pytest.fixture
def secure_port(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with listening(answer("200 OK", "all well"), context=context) as port:
        yield port


def test_https(secure_port: int, ca: Path) -> None:
    assert http(f"https://127.0.0.1:{secure_port}/", ca=ca, text="well") == ()


def test_https_is_told_by_its_certificate(secure_port: int) -> None:
    url = f"https://127.0.0.1:{secure_port}/"
    (found,) = http(url)
    assert found.subject == f"http {url}"
    assert "issuer is not known here" in found.what


def test_no_proxy_is_asked(secure_port: int, ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert http(f"https://127.0.0.1:{secure_port}/", ca=ca) == ()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("http://127.0.0.1:1/", "connection refused", id="refused"),
        pytest.param("https://127.0.0.1:1/", "connection refused", id="refused-https"),
        pytest.param("zenml.corp.test/health", "is not an address of the web", id="no-scheme"),
        pytest.param("ftp://zenml.corp.test/", "is not an address of the web", id="ftp"),
        pytest.param("https:///health", "is not an address of the web", id="no-host"),
        pytest.param("http://[::1/", "is not an address", id="broken"),
    ],
)
def test_addresses_that_can_not_be_asked(url: str, words: str) -> None:
    (found,) = http(url)
    assert found.subject == f"http {url}"
    assert words in found.what
    assert found.hint


def test_what_a_pod_would_see_is_not_claimed() -> None:
    found = not_from_pod("tcp", "db.test:3306")
    assert found.severity == "warning"
    assert found.subject == "tcp db.test:3306"
    assert found.what.startswith("not checked from a pod")
    assert "kubectl exec" in found.hint


def test_probes_wait_for_seconds_only() -> None:
    assert endpoints.TIMEOUT == 5.0
