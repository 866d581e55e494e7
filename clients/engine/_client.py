"""The Docker SDK's low-level client, for one request over a connection of ours, without what else it looks for."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

from docker import APIClient
from docker.auth import AuthConfig
from requests import Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

_ADDRESS = "http+docker://localhost"  # what the SDK writes where the way to the Engine is another's matter


class Client(APIClient):  # type: ignore[misc]
    """The calls of the SDK, which has no types. `address` is what the Engine is told that it was reached by.

    The SDK's own constructor is left out: it reads docker's config where this process's environment says, not ours,
    sends headers that stand there, and fails at a login there that it can't read. What is set here is what an APIClient
    is restored from (`APIClient.__attrs__`).
    """

    def __init__(
        self, connect: Callable[[], socket.socket], address: tuple[str, int | None], *,
        version: str, look: Callable[..., None],
    ) -> None:  # fmt: skip
        """`connect` makes the connection when it is needed; `look` is given each answer before the SDK."""
        Session.__init__(self)
        self.base_url = _ADDRESS
        self.timeout = None  # an Engine may unpack gigabytes before it says a word
        self._version = version
        self._general_configs: dict[str, Any] = {}
        self._auth_configs = AuthConfig({})
        self.trust_env = False  # neither proxies nor the logins of .netrc
        self.headers.update({"User-Agent": "airgap-doit", "Accept-Encoding": "identity", "Connection": "close"})
        self.answers: list[Response] = []
        self.hooks["response"] = [lambda answer, **_: self.answers.append(answer), look]
        self.mount(_ADDRESS, _Adapter(_Pool(connect, address)))

    def close(self) -> None:
        """Close the connection, also below an answer that was not read to its end."""
        for answer in self.answers:
            answer.close()
        super().close()


class _Adapter(HTTPAdapter):
    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        super().close()
        self._pool.close()


class _Pool(HTTPConnectionPool):
    def __init__(self, connect: Callable[[], socket.socket], address: tuple[str, int | None]) -> None:
        super().__init__(*address)
        self._connect = connect

    def _new_conn(self) -> HTTPConnection:
        return _Connection(self._connect, self.host, self.port)


class _Connection(HTTPConnection):
    def __init__(self, connect: Callable[[], socket.socket], host: str, port: int | None) -> None:
        super().__init__(host, port)
        self._connect = connect

    def connect(self) -> None:
        self.sock = self._connect()


class Body:
    """What is sent, by its size in bytes and its pieces; `taken` says whether all of it was."""

    def __init__(self, size: int, pieces: Iterator[bytes | memoryview]) -> None:
        self._size = size
        self._pieces = pieces
        self.taken = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes | memoryview]:
        try:
            yield from self._pieces
        except Exception as err:
            raise UnmadeError(err) from err
        self.taken = True


class UnmadeError(Exception):
    """What is sent could not be made, because of `cause`, which may be an OSError and yet none of the connection."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
