"""Certificates, each fault told by itself and all of them together."""

import datetime
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from clients.preflight.tls import tls
from tests.fixtures.servers.listeners import Handle, listening, saying, silence

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
PAST = {"not_before": NOW - 9 * DAY, "not_after": NOW - 2 * DAY}
FUTURE = {"not_before": NOW + 2 * DAY, "not_after": NOW + 9 * DAY}

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a certificate on loopback, and returns HOST:PORT."""
    with ExitStack() as stack:

        def start(issued: trustme.LeafCert, host: str = "127.0.0.1", *, chain: bool = True) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if chain:
                issued.configure_cert(context)
            else:
                with issued.private_key_pem.tempfile() as key, issued.cert_chain_pems[0].tempfile() as leaf:
                    context.load_cert_chain(leaf, key)
            port = stack.enter_context(listening(silence, host=host, context=context))
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

        yield start


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_good_certificate(serve: Serve, authority: trustme.CA, ca: Path, host: str) -> None:
    assert tls(serve(authority.issue_cert(host), host), ca=ca) == ()


def test_the_name_can_be_another_than_the_host(serve: Serve, authority: trustme.CA, ca: Path) -> None:
    assert tls(serve(authority.issue_cert("pro.corp.test")), ca=ca, name="pro.corp.test") == ()


@pytest.mark.parametrize(
    ("identity", "validity", "words", "hint"),
    [
        pytest.param("127.0.0.1", PAST, "its certificate expired on ", "issued anew", id="expired"),
        pytest.param("127.0.0.1", FUTURE, "its certificate is not valid before ", "clock", id="not-yet"),
        pytest.param("x.corp.test", {}, "its certificate is for other names", "127.0.0.1 as subject alt", id="name"),
    ],
)
def test_one_fault(
    serve: Serve, authority: trustme.CA, ca: Path, identity: str, validity: dict[str, datetime.datetime],
    words: str, hint: str,
) -> None:  # fmt: skip
    target = serve(authority.issue_cert(identity, **validity))
    (found,) = tls(target, ca=ca)
    assert found.subject == f"tls {target}"
    assert found.what.startswith(words)
    assert hint in found.hint
    assert found.severity == "error"


def test_other_names_are_told(serve: Serve, authority: trustme.CA, ca: Path) -> None:
    (found,) = tls(serve(authority.issue_cert("x.corp.test", "y.corp.test")), ca=ca)
    assert (found.expected, found.observed) == ("127.0.0.1", "x.corp.test, y.corp.test")


def test_an_unknown_ca(serve: Serve, tmp_path: Path) -> None:
    stranger = trustme.CA(organization_name="Stranger Inc")
    target = serve(stranger.issue_cert("127.0.0.1"))
    (found,) = tls(target)
    assert found.what == "its certificate's issuer is not known here, signed by Stranger Inc"
    assert "ca: FILE" in found.hint
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    (found,) = tls(target, ca=other)
    assert f"put the right CA into {other}" in found.hint


def test_a_missing_intermediate(serve: Serve, authority: trustme.CA, ca: Path) -> None:
    issued = authority.create_child_ca().issue_cert("127.0.0.1")
    assert tls(serve(issued), ca=ca) == ()
    (found,) = tls(serve(issued, chain=False), ca=ca)
    assert "issuer is not known here" in found.what
    assert "the server must send the intermediate certificates" in found.hint


def self_signed(*, root: bool) -> trustme.LeafCert:
    """A CA's own certificate as a server's (self-signed), or one of that CA with the CA behind it."""
    made = trustme.CA()
    if root:
        issued = made.issue_cert("127.0.0.1")
        leaf = issued.cert_chain_pems[0].bytes()
        return trustme.LeafCert(issued.private_key_pem.bytes(), leaf, [made.cert_pem.bytes()])
    return trustme.LeafCert(made.private_key_pem.bytes(), made.cert_pem.bytes(), [])


@pytest.mark.parametrize(
    ("root", "words"),
    [
        pytest.param(False, ["its certificate is self-signed", "for other names"], id="self-signed"),
        pytest.param(True, ["from a CA that is not trusted here"], id="root-sent-along"),
    ],
)
def test_self_signed(serve: Serve, root: bool, words: list[str]) -> None:
    found = tls(serve(self_signed(root=root)))
    assert len(found) == len(words)
    assert all(word in each.what for word, each in zip(words, found, strict=True))


def test_all_faults_at_once(serve: Serve, ca: Path) -> None:
    found = tls(serve(trustme.CA().issue_cert("x.corp.test", **PAST)), ca=ca)
    assert [each.what.split(",")[0].partition(" on ")[0] for each in found] == [
        "its certificate's issuer is not known here",
        "its certificate is for other names",
        "its certificate expired",
    ]


@pytest.mark.parametrize(("days", "is_found"), [(9, False), (10, True)])
def test_days_left(serve: Serve, authority: trustme.CA, ca: Path, days: int, is_found: bool) -> None:
    target = serve(authority.issue_cert("127.0.0.1", not_after=NOW + 9 * DAY + DAY / 2))
    found = tls(target, ca=ca, min_days=days, now=NOW.timestamp)
    assert bool(found) == is_found
    if is_found:
        assert (found[0].expected, found[0].observed) == ("at least 10 days left", "9")


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        pytest.param(saying(b"220 mail.test ESMTP\r\n"), "does not speak TLS", id="another-protocol"),
        pytest.param(saying(b""), "gives no answer to the TLS handshake", id="hangs-up"),
    ],
)
def test_what_is_not_tls(handle: Handle, words: str) -> None:
    with listening(handle) as port:
        (found,) = tls(f"127.0.0.1:{port}")
    assert words in found.what
    assert found.hint


def test_old_tls_only(authority: trustme.CA, ca: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("PSK")  # nothing that a client without a shared key could agree to
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with listening(silence, context=context) as port:
        (found,) = tls(f"127.0.0.1:{port}", ca=ca)
    assert found.what.startswith("the TLS handshake failed: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [pytest.param(None, "No such file or directory", id="absent"), pytest.param("words", "it is not PEM", id="no-pem")],
)
def test_a_ca_file_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    (found,) = tls("127.0.0.1:1", ca=file)
    assert str(file) in found.what
    assert words in found.what


def test_a_target_that_is_none() -> None:
    (found,) = tls("<host>")
    assert found.what == "'<host>' names no host"
