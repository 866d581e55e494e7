"""HTTP to a Docker Engine, over its socket or TCP: requests that succeed or say why not, and answers that stream.

There is no bound on how long an answer takes: an Engine may unpack gigabytes before it says a word. A connection to an
Engine that is gone ends by itself.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bundle.errors import EngineError
from bundle.storage.files import CHUNK
from clients.engine._host import EngineHost

_CONNECT_SECONDS = 15.0
_MAX_REFUSAL = 64 * 1024  # bytes of a refusal's body that are looked at
_PIECE = 64 * 1024  # bytes of a stream of messages that are read at once
_FAULTS = (OSError, http.client.HTTPException)
_START = "start it, or set DOCKER_HOST or DOCKER_CONTEXT to the one that runs; engine=none works without any"


class EngineConnection:
    """Opens one connection for each request. Errors quote the subject, or say that there is no Engine.

    Safe for several threads.
    """

    def __init__(self, host: EngineHost) -> None:
        self.host = host

    @contextmanager
    def request(
        self, method: str, path: str, *, subject: str, query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, body: tuple[int, Iterator[bytes]] | None = None,
    ) -> Iterator["Answer"]:  # fmt: skip
        """The successful answer to a request, open while the body of the `with` runs; else an EngineError.

        `body` is its size in bytes and its pieces; what goes wrong in making them comes through.
        """
        connection = self._connect()
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            size, pieces = body or (0, iter(()))
            with self.told(subject):
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in {"Content-Length": str(size), **(headers or {})}.items():
                    connection.putheader(name, value)
                connection.endheaders()
            self._send(connection, pieces, subject)
            with self.told(subject):
                response = connection.getresponse()
                if response.status >= 400:
                    raise self._refused(response, subject)
            yield Answer(self, response, subject)
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, pieces: Iterator[bytes], subject: str) -> None:
        """Send a body. An Engine that stops taking it has said why, which is read as its answer."""
        for piece in pieces:
            try:
                connection.send(piece)
            except OSError as err:
                with suppress(*_FAULTS):
                    response = connection.getresponse()
                    if response.status >= 400:
                        raise self._refused(response, subject) from err
                    for _ in Answer(self, response, subject).messages():
                        pass
                raise self._ended(err, subject) from err

    def _connect(self) -> http.client.HTTPConnection:
        host = self.host
        context = host.tls.context(f"the Docker Engine at {host}") if host.tls else None
        connection: http.client.HTTPConnection
        if host.socket:
            connection = _SocketConnection(host.socket)
        elif context:
            connection = http.client.HTTPSConnection(host.host, host.port, timeout=_CONNECT_SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host.host, host.port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as err:
            connection.close()
            raise self._unreachable(err) from err
        connection.sock.settimeout(None)
        if not host.socket:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    @contextmanager
    def told(self, subject: str) -> Iterator[None]:
        """Say a fault of the connection, in the body, as an EngineError."""
        try:
            yield
        except _FAULTS as err:
            raise self._ended(err, subject) from err

    def _unreachable(self, err: OSError) -> EngineError:
        """No subject: it is the same for every image, and then told once."""
        host, origin = self.host, self.host.origin
        what = f"no Docker Engine at {host} ({origin})"
        if isinstance(err, PermissionError):
            return EngineError(
                f"this user may not use the Docker Engine at {host} ({origin}): permission denied",
                hint="run as a user of the socket's group (usermod -aG docker USER, then log in anew), or as root",
            )
        if isinstance(err, ssl.SSLCertVerificationError):
            hint = "put the CA that signed it as ca.pem into DOCKER_CERT_PATH"
            return EngineError(f"{what}: its certificate is not trusted: {err.verify_message}", hint=hint)
        if isinstance(err, ssl.SSLError):
            hint = "give cert.pem and key.pem in DOCKER_CERT_PATH; an Engine without TLS wants DOCKER_TLS_VERIFY unset"
            return EngineError(f"{what}: TLS failed: {err.reason or err}", hint=hint)
        reason = {FileNotFoundError: "there is no such socket", ConnectionRefusedError: "nothing answers there"}
        told = reason.get(type(err)) or (err.strerror or str(err)).lower()
        return EngineError(f"{what}: {told}", hint=_START)

    def _ended(self, err: Exception, subject: str) -> EngineError:
        """The connection broke in the middle."""
        if isinstance(err, ssl.SSLError):
            return self._unreachable(err)
        told = err.strerror if isinstance(err, OSError) and err.strerror else "the connection was cut"
        return EngineError(
            f"{subject}: the Docker Engine at {self.host} stopped answering: {told[0].lower()}{told[1:]}",
            hint="see whether it runs and has space (docker info); what is done is kept, run the same command again",
        )

    def _refused(self, response: http.client.HTTPResponse, subject: str) -> EngineError:
        text = response.read(_MAX_REFUSAL).decode(errors="replace")
        try:
            words = str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            words = text
        line = " ".join(words.split())
        if "client sent an http request to an https server" in line.lower():
            line += " (it wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH)"
        return EngineError(f"{subject}: the Docker Engine says: {line or response.reason}", status=response.status)


class Answer:
    """A successful answer whose body is still to be read, by one of its methods."""

    def __init__(self, connection: EngineConnection, response: http.client.HTTPResponse, subject: str) -> None:
        self._connection = connection
        self._response = response
        self._subject = subject

    def header(self, name: str) -> str:
        """A header's value; empty without one."""
        return self._response.getheader(name) or ""

    def json(self) -> Any:
        """The body as JSON."""
        with self._connection.told(self._subject):
            return json.loads(self._response.read() or b"null")

    def chunks(self) -> Iterator[bytes]:
        """The body's bytes. One that is cut off is an EngineError."""
        while True:
            with self._connection.told(self._subject):
                chunk = self._response.read(CHUNK)
            if not chunk:
                return
            yield chunk

    def messages(self) -> Iterator[Mapping[str, Any]]:
        """The objects of a stream, one by one. The first that tells an error is raised as an EngineError."""
        for line in self._lines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # what is no message tells nothing
            if not isinstance(message, dict):
                continue
            if words := (message.get("errorDetail") or {}).get("message") or message.get("error"):
                told = " ".join(str(words).split())
                raise EngineError(f"{self._subject}: the Docker Engine says: {told}", status=self._response.status)
            yield message

    def _lines(self) -> Iterator[bytes]:
        held = b""
        while True:
            with self._connection.told(self._subject):
                data = self._response.read1(_PIECE)
            if not data:
                break
            *lines, held = (held + data).split(b"\n")
            yield from lines
        yield held


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_SECONDS)
        self.sock.connect(str(self._path))
