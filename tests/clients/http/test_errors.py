"""What went wrong in an exchange, in the server's words or in ours."""

import ssl
from pathlib import Path

import pytest

from bundle.errors import NetworkError, RegistryError
from clients.http.errors import network_fault
from clients.http.transport import Transport
from tests.fixtures.connections import MakeTransport, get
from tests.fixtures.servers.faulty_registry import FaultyRegistry, instead


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        pytest.param(b"<html><body>Login page</body></html>", "text/html", "", id="html"),
        pytest.param(b"<!DOCTYPE html><p>Blocked", "", "", id="html-undeclared"),
        pytest.param(b"plain\r\nwords\x1b[31m", "text/plain", "(plain words [31m)", id="text"),
        pytest.param(b"x" * 5000, "text/plain", f"({'x' * 300}...)", id="long"),
        pytest.param(b"{broken", "application/json", "", id="broken-json"),
        pytest.param(b'{"errors": []}', "application/json", "", id="no-errors"),
        pytest.param(b'{"details": "wrong password"}', "application/json", "(wrong password)", id="token-server"),
        pytest.param(b'{"message": "gone"}', "application/json", "(gone)", id="message"),
        pytest.param(
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Expired</Message></Error>",
            "application/xml",
            "(AccessDenied: Expired)",
            id="object-store",
        ),
    ],
)
def test_refusals_in_their_own_words(
    transport: Transport, faulty: FaultyRegistry, blob: str, body: bytes, content_type: str, words: str
) -> None:
    faulty.plan("GET", instead(403, body, Content_Type=content_type))
    with pytest.raises(RegistryError) as caught:
        get(transport, blob)
    assert caught.value.what == f"image 'app': {faulty.host} answered 403 Forbidden {words}".rstrip()


def test_an_unheard_of_status(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", instead(599))
    with pytest.raises(RegistryError, match=r"answered 599$"):
        get(transport, blob)


def test_plain_http_to_a_host_that_speaks_tls(transport: Transport, faulty: FaultyRegistry, blob: str) -> None:
    faulty.plan("GET", instead(400, b"Client sent an HTTP request to an HTTPS server.", Content_Type="text/plain"))
    with pytest.raises(RegistryError, match="400 Bad Request") as caught:
        get(transport, blob)
    assert f"remove plain_http of {faulty.host}" in caught.value.hint


def test_an_unknown_host_fails_at_once(make_transport: MakeTransport, pauses: list[float]) -> None:
    with pytest.raises(NetworkError, match=r"host nothing\.invalid is not known"):
        get(make_transport({}), "https://nothing.invalid/x?signature=secret")
    assert pauses == []


@pytest.mark.parametrize(
    ("ca", "hint"),
    [
        pytest.param(None, "trust the CA that signed it on this machine (update-ca-certificates", id="none declared"),
        pytest.param(Path("/x/our.pem"), "check that our.pem holds the CA that signed it", id="another declared"),
    ],
)
def test_an_authority_that_is_not_known(ca: Path | None, hint: str) -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "unable to get local issuer certificate"
    error = network_fault(cause, subject="image 'app'", host="a.test", ca=ca)
    assert isinstance(error, NetworkError)
    assert hint in error.hint
    assert (str(ca) in error.what) is bool(ca)
