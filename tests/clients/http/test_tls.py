"""One read of a TLS socket, over as many records as it takes."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.http.tls import FillingSocket, client_context

RECORD = 16 * 1024


@contextmanager
def connected(certificate: Path, ca: Path, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[ssl.SSLSocket]:
    """The client's end; `serve` has the other one, in a thread of its own."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), client_context(ca=ca, certificate=None, key=None)
    server.load_cert_chain(certificate)
    client.sslsocket_class = FillingSocket
    theirs, ours = socket.socketpair()

    def run() -> None:
        with server.wrap_socket(theirs, server_side=True) as end:
            serve(end)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with ours, client.wrap_socket(ours, server_hostname="127.0.0.1") as end:
            end.settimeout(5)
            yield end
    finally:
        thread.join()


def sending(*parts: bytes, until: threading.Event | None = None) -> Callable[[ssl.SSLSocket], None]:
    """Send each part as a record of its own, and close once `until` is set."""

    def serve(end: ssl.SSLSocket) -> None:
        for part in parts:
            end.sendall(part)
        if until:
            until.wait(10)

    return serve


def test_one_read_takes_many_records(certificate: Path, ca: Path) -> None:
    parts = [bytes([number]) * RECORD for number in range(5)]
    buffer = bytearray(4 * RECORD + 100)
    over = threading.Event()
    with connected(certificate, ca, sending(*parts, until=over)) as end:
        assert end.recv_into(buffer) == len(buffer)
        assert buffer == b"".join(parts)[: len(buffer)]
        rest = bytearray(RECORD - 100)
        assert end.recv_into(rest) == len(rest)
        assert rest == parts[-1][100:]
        over.set()


@pytest.mark.parametrize("room", [1, 3, 8192])
def test_a_small_read_takes_what_is_there(certificate: Path, ca: Path, room: int) -> None:
    over = threading.Event()
    with connected(certificate, ca, sending(b"abc", until=over)) as end:
        buffer = bytearray(room)
        assert end.recv_into(buffer) == min(room, 3)
        assert buffer.startswith(b"abc"[:room])
        over.set()


def test_the_end_comes_first(certificate: Path, ca: Path) -> None:
    with connected(certificate, ca, sending(b"x" * RECORD, b"y" * 10)) as end:
        buffer = bytearray(8 * RECORD)
        assert end.recv_into(buffer) == RECORD + 10
        assert end.recv_into(buffer) == 0


def test_only_so_many(certificate: Path, ca: Path) -> None:
    over = threading.Event()
    with connected(certificate, ca, sending(b"x" * RECORD, b"y" * RECORD, until=over)) as end:
        buffer = bytearray(4 * RECORD)
        assert end.recv_into(buffer, RECORD + 1) == RECORD + 1
        assert bytes(buffer[RECORD : RECORD + 2]) == b"y\0"
        over.set()


def test_nothing_more_comes_in_time(certificate: Path, ca: Path) -> None:
    over = threading.Event()
    with connected(certificate, ca, sending(b"x" * RECORD, until=over)) as end:
        end.settimeout(0.3)
        with pytest.raises(TimeoutError):
            end.recv_into(bytearray(4 * RECORD))
        over.set()


def test_a_connection_that_breaks_off(certificate: Path, ca: Path) -> None:
    def serve(end: ssl.SSLSocket) -> None:
        end.sendall(b"x" * RECORD)
        socket.socket(fileno=end.detach()).close()  # no closing alert

    with connected(certificate, ca, serve) as end:
        buffer = bytearray(4 * RECORD)
        assert end.recv_into(buffer) == RECORD
        assert end.recv_into(buffer) == 0
