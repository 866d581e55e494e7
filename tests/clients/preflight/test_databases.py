"""Databases by their first words: recorded from real servers; MySQL's own are as its manual has them."""

import socket
import ssl
import struct
import time

import pytest
import trustme

from clients.preflight import _endpoints as endpoints
from clients.preflight import databases
from clients.preflight.databases import MySqlKind, MySqlVersion, mysql, postgres
from tests.fixtures.servers.listeners import Handle, answering, dripping, listening, saying, silence

# MariaDB 10.11.19 of Debian 12.
MARIADB = (
    b"d\x00\x00\x00\n5.5.5-10.11.19-MariaDB-0+deb12u1\x00\x03\x00\x00\x00rh5k@9@r\x00\xfe\xf7\x08\x02\x00\xff\x81\x15"
    b"\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00?%:33B3y)]wb\x00mysql_native_password\x00"
)
# PostgreSQL 15 asks for SCRAM-SHA-256.
SCRAM = b"R\x00\x00\x00\x17\x00\x00\x00\nSCRAM-SHA-256\x00\x00"


def greeting(version: bytes) -> bytes:
    """A handshake packet of protocol 10 (MySQL's manual, "Protocol::HandshakeV10")."""
    payload = b"\n" + version + b"\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xdf\x15" + bytes(10)
    payload += b"ijklmnopqrst\x00caching_sha2_password\x00"
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def refusal(code: int, message: bytes) -> bytes:
    """An error packet, as it is sent before any login: without an SQL state."""
    payload = b"\xff" + code.to_bytes(2, "little") + message
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def postgres_error(code: str, message: str) -> bytes:
    body = f"SFATAL\0VFATAL\0C{code}\0M{message}\0Fpostmaster.c\0L2346\0RProcessStartupPacket\0\0".encode()
    return b"E" + struct.pack("!i", len(body) + 4) + body


@pytest.mark.parametrize(
    ("text", "kind", "version"),
    [
        pytest.param("8.0.36", "MySQL", "8.0.36", id="mysql"),
        pytest.param("8.0.36-28", "MySQL", "8.0.36-28", id="percona"),
        pytest.param("5.5.5-10.11.19-MariaDB-0+deb12u1", "MariaDB", "10.11.19-MariaDB-0+deb12u1", id="mariadb-10"),
        pytest.param("11.4.2-MariaDB-ubu2404", "MariaDB", "11.4.2-MariaDB-ubu2404", id="mariadb-11"),
        pytest.param("5.5.5-m2", "MySQL", "5.5.5-m2", id="a-real-5.5.5"),
    ],
)
def test_versions(text: str, kind: str, version: str) -> None:
    parsed = MySqlVersion.parse(text)
    assert (parsed.kind, parsed.version) == (kind, version)
    assert str(parsed) == f"{kind} {version}"


@pytest.mark.parametrize(
    ("data", "minimum", "kind"),
    [
        pytest.param(greeting(b"8.0.36"), "", "", id="any"),
        pytest.param(greeting(b"8.0.36"), "8.0", "", id="later"),
        pytest.param(greeting(b"8.0.36"), "8", "", id="major-only"),
        pytest.param(greeting(b"8.0.36"), "8.0.36", "MySQL", id="same"),
        pytest.param(greeting(b"8.0.mysql_aurora.3.04.0"), "8.0", "", id="aurora"),
        pytest.param(greeting(b"10.0.1"), "9.9", "", id="numbers-not-letters"),
        pytest.param(MARIADB, "", "", id="mariadb"),
        pytest.param(MARIADB, "10.6", "MariaDB", id="mariadb-later"),
    ],
)
def test_a_good_server(data: bytes, minimum: str, kind: MySqlKind) -> None:
    with listening(saying(data)) as port:
        assert mysql(f"127.0.0.1:{port}", min_version=minimum, kind=kind) == ()


@pytest.mark.parametrize(
    ("data", "minimum", "kind", "severity", "what", "expected", "observed"),
    [
        pytest.param(
            greeting(b"5.7.44-log"), "8.0", "", "error", "the server is too old", "MySQL 8.0 or later",
            "MySQL 5.7.44-log", id="old",
        ),
        pytest.param(
            greeting(b"8.0.35"), "8.0.36", "", "error", "the server is too old", "MySQL 8.0.36 or later",
            "MySQL 8.0.35", id="old-patch",
        ),
        pytest.param(
            MARIADB, "8.0", "", "warning", "its version can't be compared with MySQL's", "MySQL 8.0 or later",
            "MariaDB 10.11.19-MariaDB-0+deb12u1", id="mariadb-for-mysql",
        ),
        pytest.param(
            MARIADB, "8.0", "MySQL", "error", "another server", "MySQL 8.0", "MariaDB 10.11.19-MariaDB-0+deb12u1",
            id="mariadb-not-wanted",
        ),
        pytest.param(
            MARIADB, "11.4", "MariaDB", "error", "the server is too old", "MariaDB 11.4 or later",
            "MariaDB 10.11.19-MariaDB-0+deb12u1", id="old-mariadb",
        ),
    ],
)  # fmt: skip
def test_another_server_than_wanted(
    data: bytes, minimum: str, kind: MySqlKind, severity: str, what: str, expected: str, observed: str
) -> None:
    with listening(saying(data)) as port:
        (found,) = mysql(f"127.0.0.1:{port}", min_version=minimum, kind=kind)
    assert (found.severity, found.what, found.expected, found.observed) == (severity, what, expected, observed)
    assert found.hint


@pytest.mark.parametrize(
    ("data", "words", "hint"),
    [
        pytest.param(
            refusal(1130, b"Host '10.0.0.5' is not allowed to connect to this MySQL server"),
            "it refuses connections: Host '10.0.0.5' is not allowed to connect to this MySQL server (error 1130)",
            "CREATE USER", id="host-not-allowed",
        ),
        pytest.param(
            refusal(1129, b"Host '10.0.0.5' is blocked because of many connection errors"), "(error 1129)",
            "flush-hosts", id="host-blocked",
        ),
        pytest.param(refusal(1040, b"#08004Too many connections"), ": Too many connections (error 1040)",
                     "max_connections", id="with-sql-state"),
        pytest.param(refusal(4242, b"no\x1b[31m"), "connections: no [31m (error 4242)", "log", id="unknown-error"),
    ],
)  # fmt: skip
def test_a_server_that_refuses(data: bytes, words: str, hint: str) -> None:
    with listening(saying(data)) as port:
        (found,) = mysql(f"127.0.0.1:{port}")
    assert words in found.what
    assert hint in found.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "it closed the connection", id="hangs-up"),
        pytest.param(MARIADB[:40], "it closed the connection", id="cut"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "no handshake packet", id="ssh"),
        pytest.param(b"\0\0\0\0", "no handshake packet", id="empty-packet"),
        pytest.param(b"\x05\0\0\0\x0b8.0\0", "not of protocol 10", id="protocol-11"),
        pytest.param(b"\x04\0\0\0\x0a8.0", "not of protocol 10", id="no-end-of-version"),
        pytest.param(b"\x05\0\0\0\x0aabc\0", "not of protocol 10", id="no-version"),
        pytest.param(b"\x02\0\0\0\xff\0", "not of protocol 10", id="error-without-words"),
    ],
)
def test_what_is_no_mysql(data: bytes, words: str) -> None:
    with listening(saying(data)) as port:
        (found,) = mysql(f"127.0.0.1:{port}")
    assert found.what.startswith("it takes connections, but does not greet as MySQL: ")
    assert words in found.what


def test_a_connection_that_is_reset() -> None:
    def reset(connection: socket.socket) -> None:
        time.sleep(0.2)  # so that the client is through with connecting, and waits for the greeting
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with listening(reset) as port:
        assert "it closed the connection" in mysql(f"127.0.0.1:{port}")[0].what
    with listening(reset) as port:
        assert "it closed the connection" in postgres(f"127.0.0.1:{port}")[0].what


def test_a_server_that_waits_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "TIMEOUT", 0.1)
    with listening(silence) as port:
        (found,) = mysql(f"127.0.0.1:{port}")
    assert "its answer does not come within" in found.what


def test_a_server_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is never late for the socket."""
    monkeypatch.setattr(databases, "TIMEOUT", 0.2)
    with listening(dripping(b"NR\x00\x00\xff\x00")) as port:
        (found,) = postgres(f"127.0.0.1:{port}")
    assert "its answer does not come within" in found.what


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([b"N", SCRAM], id="scram"),
        pytest.param([b"N", postgres_error("28000", 'no pg_hba.conf entry for host "10.0.0.5"')], id="no-entry"),
        pytest.param([b"N", postgres_error("3D000", "no such database")], id="no-database"),
    ],
)
def test_a_good_postgres(answers: list[bytes]) -> None:
    with listening(answering(*answers)) as port:
        assert postgres(f"127.0.0.1:{port}") == ()


def test_postgres_gets_the_messages_of_its_protocol() -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        for answer in (b"N", SCRAM):
            seen.append(connection.recv(4096))
            connection.sendall(answer)

    with listening(handle) as port:
        postgres(f"127.0.0.1:{port}")
    assert seen[0] == bytes.fromhex("0000000804d2162f")
    assert seen[1][:8] == struct.pack("!ii", len(seen[1]), 196608)
    assert seen[1][8:].startswith(b"user\0airgap_preflight\0")
    assert seen[1].endswith(b"\0\0")


def test_postgres_over_tls(authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("db.test").configure_cert(context)
    startups: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"S")
        with context.wrap_socket(connection, server_side=True) as secured:
            startups.append(secured.recv(4096))
            secured.sendall(SCRAM)

    with listening(handle) as port:
        assert postgres(f"127.0.0.1:{port}") == ()
    assert b"airgap_preflight" in startups[0]


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        pytest.param("57P03", "the database system is starting up", "wait", id="starting"),
        pytest.param("53300", "sorry, too many clients already", "max_connections", id="full"),
    ],
)
def test_a_postgres_that_lets_nobody_in(code: str, words: str, hint: str) -> None:
    with listening(answering(b"N", postgres_error(code, words))) as port:
        (found,) = postgres(f"127.0.0.1:{port}")
    assert found.what == f"it lets nobody in: {words}"
    assert hint in found.hint


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        pytest.param(saying(MARIADB), "does not greet as PostgreSQL", id="mysql"),
        pytest.param(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not greet as PostgreSQL", id="http"),
        pytest.param(answering(b"N"), "it closed the connection", id="hangs-up"),
        pytest.param(answering(b"N", b"HTTP/1.1"), "its answer to a startup message is another", id="no-startup"),
        pytest.param(answering(b"N", b"R\x7f\xff\xff\xff"), "its answer to a startup message is another", id="huge"),
        pytest.param(answering(b"S", b"no TLS"), "it offers TLS, but the handshake fails", id="no-tls"),
    ],
)
def test_what_is_no_postgres(handle: Handle, words: str) -> None:
    with listening(handle) as port:
        (found,) = postgres(f"127.0.0.1:{port}")
    assert words in found.what
    assert found.hint


@pytest.mark.parametrize("probe", [mysql, postgres])
def test_nothing_listens(probe: type) -> None:
    (found,) = probe("127.0.0.1:1")
    assert "connection refused" in found.what


@pytest.mark.parametrize(("probe", "port"), [(mysql, 3306), (postgres, 5432)])
def test_default_ports(probe: type, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(endpoint: endpoints.Endpoint) -> None:
        asked.append(endpoint.port)
        raise endpoints.NetworkError("not here")

    monkeypatch.setattr("clients.preflight.databases.dial", refuse)
    probe("db.test")
    assert asked == [port]
