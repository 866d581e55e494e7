"""Databases as they greet: MySQL, MariaDB and PostgreSQL, asked without a login (their wire protocols)."""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from bundle.errors import AirgapError, FormatError, NetworkError
from bundle.formats.versions import Version
from clients.preflight._endpoints import TIMEOUT, Endpoint, dial
from clients.preflight.findings import Finding, Findings, finding_of

MySqlKind = Literal["MySQL", "MariaDB"]

_MAX_MESSAGE = 64 * 1024  # bytes; greetings and refusals have some hundred
_MARIADB_PREFIX = "5.5.5-"  # put before a MariaDB 10's version, so that old replicas don't take it for MySQL 1.0

# What a MySQL server refuses connections with before any login (its error reference).
_MYSQL_HINTS: Mapping[int, str] = {
    1040: "raise max_connections, or close connections that nobody uses",
    1129: "too many broken connections came from this machine: mysqladmin flush-hosts",
    1130: "allow logins from these hosts: CREATE USER 'NAME'@'%', and no bind or skip-name-resolve rule against them",
}

# PostgreSQL's frontend protocol: SSLRequest, and version 3.0 in a startup message.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_STARTUP = b"user\0airgap_preflight\0database\0airgap_preflight\0application_name\0airgap preflight\0\0"
_STARTUP_MESSAGE = struct.pack("!ii", 8 + len(_STARTUP), 3 << 16) + _STARTUP
# SQLSTATEs that say that nobody gets in now; any other refusal is of the unknown user, as it should be.
_POSTGRES_HINTS: Mapping[str, str] = {
    "53300": "raise max_connections, or close connections that nobody uses",
    "57P01": "the server is shutting down: start it",
    "57P02": "the server is restarting after a crash: look at its log",
    "57P03": "the server is starting up, recovering or shutting down: wait, then look at its log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MySqlVersion:
    """A version as a MySQL or MariaDB server tells it."""

    kind: MySqlKind
    version: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the greeting's version: `8.0.36`, `5.5.5-10.11.6-MariaDB-log`, `11.4.2-MariaDB`."""
        if "mariadb" in text.lower():
            return cls(kind="MariaDB", version=text.removeprefix(_MARIADB_PREFIX))
        return cls(kind="MySQL", version=text)

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


def mysql(target: str, *, min_version: str = "", kind: MySqlKind | Literal[""] = "") -> Findings:
    """A MySQL or MariaDB server (`kind` empty: either) greets at `HOST[:PORT]` (3306), of at least `min_version`.

    `min_version` is of `kind`, by default of MySQL; MariaDB's versions can't be compared with it.
    """
    subject = f"mysql {target}"
    try:
        version = _mysql_version(Endpoint.parse(target, default_port=3306))
        return _compared(version, subject, kind, min_version)
    except AirgapError as err:
        return (finding_of(err, subject),)


def _compared(version: MySqlVersion, subject: str, kind: MySqlKind | Literal[""], min_version: str) -> Findings:
    expected = f"{kind or 'MySQL'} {min_version}".rstrip()
    if kind and version.kind != kind:
        hint = f"name a {kind} server"
        return (Finding(subject=subject, what="another server", expected=expected, observed=str(version), hint=hint),)
    if min_version and version.kind != (kind or "MySQL"):
        return (
            Finding(
                subject=subject,
                what="its version can't be compared with MySQL's",
                expected=f"{expected} or later",
                observed=str(version),
                hint="make sure that the application supports this server",
                severity="warning",
            ),
        )
    lowest = min_version if "." in min_version else f"{min_version}.0"
    if min_version and Version.parse(version.version) < Version.parse(lowest):
        hint = "upgrade the server, or name another"
        what, expected = "the server is too old", f"{expected} or later"
        return (Finding(subject=subject, what=what, expected=expected, observed=str(version), hint=hint),)
    return ()


def postgres(target: str) -> Findings:
    """A PostgreSQL server (or pooler) lets clients begin a login at `HOST[:PORT]` (5432).

    Its version is told only after a login, so nothing is said about it.
    """
    subject = f"postgres {target}"
    try:
        endpoint = Endpoint.parse(target, default_port=5432)
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(dial(endpoint))
            answer = _exchange(connection, _SSL_REQUEST, 1)
            if answer == b"S":
                connection = stack.enter_context(_secured(connection))
            elif answer != b"N":
                raise _foreign("PostgreSQL", "its answer to an SSLRequest is another")
            refused = _startup(connection)
    except AirgapError as err:
        return (finding_of(err, subject),)
    if refused.get("C") in _POSTGRES_HINTS:
        hint = _POSTGRES_HINTS[refused["C"]]
        return (Finding(subject=subject, what=f"it lets nobody in: {refused.get('M', '')}", hint=hint),)
    return ()


def _mysql_version(endpoint: Endpoint) -> MySqlVersion:
    """The version in the initial handshake packet, protocol 10; a NetworkError when the server sends another."""
    with dial(endpoint) as connection:
        length = int.from_bytes(_exactly(connection, 4, "MySQL")[:3], "little")
        if not 0 < length <= _MAX_MESSAGE:
            raise _foreign("MySQL", "its first bytes are no handshake packet")
        packet = _exactly(connection, length, "MySQL")
    if packet[0] == 0xFF and length > 3:
        code = int.from_bytes(packet[1:3], "little")
        message = _printable(packet[9:] if packet[3:4] == b"#" else packet[3:])
        raise NetworkError(
            f"it refuses connections: {message} (error {code})",
            hint=_MYSQL_HINTS.get(code, "look at the server's log and its rules for hosts"),
        )
    version, end, _ = packet[1:].partition(b"\0")
    if packet[0] != 10 or not end or not version[:1].isdigit():
        raise _foreign("MySQL", "its greeting is not of protocol 10")
    return MySqlVersion.parse(_printable(version))


def _startup(connection: socket.socket) -> Mapping[str, str]:
    """The fields of the error that a startup message is answered with; empty for a request to authenticate."""
    kind = _exchange(connection, _STARTUP_MESSAGE, 1)
    length = int.from_bytes(_exactly(connection, 4, "PostgreSQL"), "big") - 4
    if kind not in (b"R", b"E") or not 0 <= length <= _MAX_MESSAGE:
        raise _foreign("PostgreSQL", "its answer to a startup message is another")
    body = _exactly(connection, length, "PostgreSQL")
    fields = (field for field in body.split(b"\0") if field) if kind == b"E" else ()
    return {_printable(field[:1]): _printable(field[1:]) for field in fields}


def _secured(connection: socket.socket) -> ssl.SSLSocket:
    """TLS with whatever certificate is there: nothing secret is sent, and `tls` is the check for certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(connection)
    except OSError as err:
        raise NetworkError(
            "it offers TLS, but the handshake fails", hint="look at the server's ssl settings and its log"
        ) from err


def _exchange(connection: socket.socket, message: bytes, size: int) -> bytes:
    try:
        connection.sendall(message)
    except OSError as err:
        raise _foreign("PostgreSQL", "it closed the connection") from err
    return _exactly(connection, size, "PostgreSQL")


def _exactly(connection: socket.socket, size: int, kind: str) -> bytes:
    """The next `size` bytes, which come within TIMEOUT in all."""
    data, ends = b"", time.monotonic() + TIMEOUT
    while len(data) < size:
        try:
            connection.settimeout(max(0.001, ends - time.monotonic()))
            part = connection.recv(size - len(data))
        except TimeoutError as err:
            raise _foreign(kind, f"its answer does not come within {TIMEOUT:.0f} s") from err
        except OSError as err:
            raise _foreign(kind, "it closed the connection") from err
        if not part:
            raise _foreign(kind, "it closed the connection")
        data += part
    return data


def _foreign(kind: str, observed: str) -> AirgapError:
    return FormatError(
        f"it takes connections, but does not greet as {kind}: {observed}",
        hint="check the port; a proxy or firewall in between may also accept and then drop connections",
    )


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace")
    return "".join(char if char.isprintable() else " " for char in text)[:300].strip()
