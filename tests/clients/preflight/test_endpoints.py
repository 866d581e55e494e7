"""Hosts, ports, and how connections come about or don't."""

import socket
import threading
from collections.abc import Iterator

import pytest

from bundle.errors import FormatError, NetworkError
from clients.preflight import _endpoints as endpoints
from clients.preflight._endpoints import Endpoint, dial, is_host, lookup
from tests.fixtures.servers.listeners import listening, silence


@pytest.mark.parametrize(
    ("text", "default", "host", "port", "written"),
    [
        pytest.param("db.test:3306", 0, "db.test", 3306, "db.test:3306", id="name"),
        pytest.param("db.test", 443, "db.test", 443, "db.test:443", id="default"),
        pytest.param("10.0.0.1:1", 443, "10.0.0.1", 1, "10.0.0.1:1", id="ipv4"),
        pytest.param("[::1]:5432", 0, "::1", 5432, "[::1]:5432", id="ipv6"),
        pytest.param("[::1]", 443, "::1", 443, "[::1]:443", id="ipv6-default"),
        pytest.param("::1", 443, "::1", 443, "[::1]:443", id="ipv6-bare"),
        pytest.param("my_db:65535", 0, "my_db", 65535, "my_db:65535", id="underscore"),
    ],
)
def test_endpoints(text: str, default: int, host: str, port: int, written: str) -> None:
    endpoint = Endpoint.parse(text, default_port=default)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert str(endpoint) == written
    assert Endpoint.parse(written) == endpoint


@pytest.mark.parametrize(
    ("text", "default", "message"),
    [
        pytest.param("db.test", 0, "'db.test' has no port", id="no-port"),
        pytest.param("db.test:", 443, "'db.test:' has no port", id="empty-port"),
        pytest.param("db.test:0", 0, "has no port from 1 to 65535", id="zero"),
        pytest.param("db.test:65536", 0, "has no port from 1 to 65535", id="too-high"),
        pytest.param("db.test:http", 0, "has no port from 1 to 65535", id="word"),
        pytest.param("db.test:³", 0, "has no port from 1 to 65535", id="digit-of-another-script"),
        pytest.param("::1", 0, "'::1' has no port", id="ipv6-no-port"),
        pytest.param("", 443, "'' names no host", id="empty"),
        pytest.param(":443", 443, "names no host", id="no-host"),
        pytest.param("<host>:443", 443, "names no host", id="placeholder"),
        pytest.param("https://db.test", 443, "names no host", id="url"),
        pytest.param("a b:1", 0, "names no host", id="space"),
        pytest.param(f"{'a' * 64}.test:1", 0, "names no host", id="long-label"),
        pytest.param("[db.test:1", 0, "names no host", id="bracket"),
    ],
)
def test_what_is_no_endpoint(text: str, default: int, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        Endpoint.parse(text, default_port=default)
    assert caught.value.hint


def test_a_name_of_254_characters_is_no_host() -> None:
    assert is_host(".".join(["a" * 49] * 5))
    assert not is_host(".".join(["a" * 50] * 5))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection(host: str) -> None:
    with listening(silence, host=host) as port, dial(Endpoint(host=host, port=port)) as connection:
        assert connection.getpeername()[:2] == (host, port)
        assert connection.gettimeout() == endpoints.TIMEOUT


def addresses(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Make every name resolve to these."""
    found = [(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", host) for host in hosts]

    def answer(_: str, port: int, **__: object) -> list[object]:
        return [(*info, (host, port)) for *info, host in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(silence) as port:
        addresses(monkeypatch, "::1", "127.0.0.1")
        with dial(Endpoint(host="db.test", port=port)) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, held so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_refused_connection_tells_the_addresses(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    addresses(monkeypatch, "127.0.0.1", "127.0.0.2")
    with pytest.raises(NetworkError, match=r"^connection refused \(tried 127\.0\.0\.1, 127\.0\.0\.2\)") as caught:
        dial(Endpoint(host="db.test", port=closed_port))
    assert f"db.test:{closed_port}" in caught.value.hint


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that new ones hang as behind a firewall."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first, socket.socket() as more:
        for each in (first, more):
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch, full_port: int) -> None:
    monkeypatch.setattr(endpoints, "TIMEOUT", 0.2)
    with pytest.raises(NetworkError, match=r"^no connection in 0 s") as caught:
        dial(Endpoint(host="127.0.0.1", port=full_port))
    assert "firewall" in caught.value.hint


def test_no_route() -> None:
    with pytest.raises(NetworkError, match=r"can't be reached: [a-z]") as caught:
        dial(Endpoint(host="255.255.255.255", port=1))
    assert "route to 255.255.255.255" in caught.value.hint


@pytest.mark.parametrize(
    ("errno", "message"),
    [
        pytest.param(socket.EAI_NONAME, r"^host db\.test is not known", id="unknown"),
        pytest.param(socket.EAI_AGAIN, r"^the name servers give no answer for db\.test", id="no-answer"),
    ],
)
def test_names_that_do_not_resolve(monkeypatch: pytest.MonkeyPatch, errno: int, message: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NetworkError, match=message) as caught:
        lookup("db.test")
    assert caught.value.hint


def test_a_resolver_that_hangs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(endpoints, "TIMEOUT", 0.05)

    def hang(*_: object, **__: object) -> None:
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(NetworkError, match="the name servers give no answer"):
            lookup("db.test")
    finally:
        over.set()
