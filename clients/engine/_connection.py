"""Requests to a Docker Engine that succeed or say why not, and answers that stream.

There is no bound on how long an answer takes: an Engine may unpack gigabytes before it says a word. A connection to an
Engine that is gone ends by itself.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from docker import APIClient
from docker.errors import StreamParseError
from requests import JSONDecodeError, RequestException, Response
from urllib3.exceptions import HTTPError

from bundle.errors import EngineError
from bundle.formats import strict_json
from clients.engine._client import Client, UnmadeError
from clients.engine._host import EngineHost

_CONNECT_SECONDS = 15.0
_MAX_REFUSAL = 64 * 1024  # bytes of a refusal's body that are looked at
_START = "start it, or set DOCKER_HOST or DOCKER_CONTEXT to the one that runs; engine=none works without any"


class EngineConnection:
    """Makes a client for each request, so that none takes over a connection that the Engine has closed meanwhile.

    Errors quote the subject, or say that there is no Engine. Safe for several threads.
    """

    def __init__(self, host: EngineHost) -> None:
        self.host = host

    @contextmanager
    def client(self, *, subject: str, version: str = "") -> Iterator[APIClient]:
        """For one request by this version of the API, whose answer is read while the body of the `with` runs.

        A refusal, and what goes wrong with the connection, is an EngineError.
        """

        def look(answer: Response, **_: Any) -> None:
            """The SDK looks at some answers only, and follows others to where they lead."""
            if answer.status_code >= 300:
                raise self._refused(answer, subject)

        address = (self.host.host or "docker", self.host.port or None)
        client = Client(self._connect, address, version=version, look=look)
        try:
            yield client
        except UnmadeError as err:
            raise err.cause from err.cause.__cause__
        except (JSONDecodeError, StreamParseError) as err:
            raise EngineError(f"{subject}: what the Docker Engine at {self.host} answers is not JSON") from err
        except (RequestException, HTTPError) as err:
            raise self._fault(err, subject) from err
        finally:
            client.close()

    def _connect(self) -> socket.socket:
        """To connect has a bound, and nothing after it has: an Engine takes what is sent as slowly as its disk is."""
        host = self.host
        context = host.tls.context(f"the Docker Engine at {host}") if host.tls else None
        made = socket.socket(socket.AF_UNIX) if host.socket else None
        try:
            if made:
                made.settimeout(_CONNECT_SECONDS)
                made.connect(str(host.socket))
            else:
                made = socket.create_connection((host.host, host.port), _CONNECT_SECONDS)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                made = context.wrap_socket(made, server_hostname=host.host) if context else made
        except OSError as err:
            if made:
                made.close()
            raise self._unreachable(err) from err
        made.settimeout(None)
        return made

    def cut(self, subject: str, told: str = "the connection was cut") -> EngineError:
        """The connection broke in the middle."""
        return EngineError(
            f"{subject}: the Docker Engine at {self.host} stopped answering: {told[0].lower()}{told[1:]}",
            hint="see whether it runs and has space (docker info); completed steps are kept; run it again",
        )

    def _fault(self, err: BaseException, subject: str) -> EngineError:
        """By what it was before requests and urllib3 wrapped it up, each in a way of its own."""
        while isinstance(err, RequestException | HTTPError):
            held = (each for each in (err.__cause__, *err.args) if isinstance(each, BaseException))
            if not (inner := next(held, None)):
                break
            err = inner
        if isinstance(err, ssl.SSLError):
            return self._unreachable(err)
        return self.cut(subject, err.strerror) if isinstance(err, OSError) and err.strerror else self.cut(subject)

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
            hint = (
                "give cert.pem and key.pem in DOCKER_CERT_PATH; "
                "a Docker daemon without TLS requires DOCKER_TLS_VERIFY to be unset"
            )
            return EngineError(f"{what}: TLS failed: {err.reason or err}", hint=hint)
        reason = {FileNotFoundError: "there is no such socket", ConnectionRefusedError: "nothing answers there"}
        told = reason.get(type(err)) or (err.strerror or str(err)).lower()
        return EngineError(f"{what}: {told}", hint=_START)

    def _refused(self, answer: Response, subject: str) -> EngineError:
        text = answer.raw.read(_MAX_REFUSAL).decode(errors="replace")
        try:
            words = str(strict_json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            words = text
        line = " ".join(words.split())
        if "client sent an http request to an https server" in line.lower():
            line += " (it wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH)"
        return EngineError(f"{subject}: the Docker Engine says: {line or answer.reason}", status=answer.status_code)


def messages(stream: Iterable[Any], subject: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a stream, one by one. The first that tells an error is raised as an EngineError."""
    for message in stream:
        if not isinstance(message, dict):
            continue
        if words := (message.get("errorDetail") or {}).get("message") or message.get("error"):
            raise EngineError(f"{subject}: the Docker Engine says: {' '.join(str(words).split())}")
        yield message
