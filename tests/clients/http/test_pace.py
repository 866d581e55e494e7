"""How slowly a server may answer, and one read of a connection over as many records of TLS as it takes."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from bundle.errors import NetworkError
from bundle.oci.locations import HostSettings
from clients.http.pace import Pace, PacedReader, SlowError
from clients.http.tls import client_context
from tests.fixtures.connections import DATA, MakeTransport, RecordingMeter, fetch, get
from tests.fixtures.servers.listeners import dripping, listening

RECORD = 16 * 1024


@contextmanager
def connected(certificate: Path, ca: Path, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[PacedReader]:
    """What reads the client's end; `serve` has the other one, in a thread of its own."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), client_context(ca=ca, certificate=None, key=None)
    server.load_cert_chain(certificate)
    theirs, ours = socket.socketpair()

    def run() -> None:
        with server.wrap_socket(theirs, server_side=True) as end:
            serve(end)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with ours, client.wrap_socket(ours, server_hostname="127.0.0.1") as end:
            end.settimeout(0.5)
            reader = PacedReader(end.makefile("rb", buffering=0), Pace())
            reader.allow(4 * RECORD, whole=True)
            reader.content()
            yield reader
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
    with connected(certificate, ca, sending(*parts, until=over)) as reader:
        assert reader.readinto(buffer) == len(buffer)
        assert buffer == b"".join(parts)[: len(buffer)]
        rest = bytearray(RECORD - 100)
        assert reader.readinto(rest) == len(rest)
        assert rest == parts[-1][100:]
        over.set()


@pytest.mark.parametrize("room", [1, 3, 8192])
def test_a_small_read_takes_what_is_there(certificate: Path, ca: Path, room: int) -> None:
    over = threading.Event()
    with connected(certificate, ca, sending(b"abc", until=over)) as reader:
        buffer = bytearray(room)
        assert reader.readinto(buffer) == min(room, 3)
        assert buffer.startswith(b"abc"[:room])
        over.set()


def test_the_end_comes_first(certificate: Path, ca: Path) -> None:
    with connected(certificate, ca, sending(b"x" * RECORD, b"y" * 10)) as reader:
        buffer = bytearray(8 * RECORD)
        assert reader.readinto(buffer) == RECORD + 10
        assert reader.readinto(buffer) == 0


def test_nothing_more_comes_in_time(certificate: Path, ca: Path) -> None:
    over = threading.Event()
    with connected(certificate, ca, sending(b"x" * RECORD, until=over)) as reader:
        with pytest.raises(TimeoutError):
            reader.readinto(bytearray(4 * RECORD))
        over.set()


def test_a_connection_that_breaks_off(certificate: Path, ca: Path) -> None:
    def serve(end: ssl.SSLSocket) -> None:
        end.sendall(b"x" * RECORD)
        socket.socket(fileno=end.detach()).close()  # no closing alert

    with connected(certificate, ca, serve) as reader:
        buffer = bytearray(4 * RECORD)
        assert reader.readinto(buffer) == RECORD
        assert reader.readinto(buffer) == 0


class Server(io.RawIOBase):
    """Sends one part at each read, after so many seconds of a clock of its own."""

    def __init__(self, *parts: tuple[float, bytes]) -> None:
        self.parts = list(parts)
        self.time = 0.0

    def readinto(self, buffer: object) -> int:
        seconds, part = self.parts.pop(0) if self.parts else (0.0, b"")
        self.time += seconds
        memoryview(buffer)[: len(part)] = part  # type: ignore[arg-type]
        return len(part)


def reading(server: Server, **pace: float) -> PacedReader:
    return PacedReader(server, Pace(clock=lambda: server.time, **pace))  # type: ignore[arg-type]


def drain(reader: PacedReader) -> int:
    """How many bytes came."""
    total, buffer = 0, bytearray(4096)
    while got := reader.readinto(buffer):
        total += got
    return total


def test_headers_have_a_total_time_from_their_first_byte() -> None:
    quick = reading(Server((500.0, b"H"), *[(1.0, b"x")] * 10), answer=10.0)
    assert drain(quick) == 11, "a store may copy a blob before it answers"
    with pytest.raises(SlowError, match="its answer took more than 10 s"):
        drain(reading(Server((500.0, b"H"), *[(1.0, b"x")] * 11), answer=10.0))


@pytest.mark.parametrize(
    ("parts", "good"),
    [
        pytest.param([(1.0, b"x")] * 500, False, id="a byte a second"),
        pytest.param([(50.0, bytes(4096))] * 40, False, id="after long waits"),
        pytest.param([(0.0, bytes(4096))] * 100 + [(1.0, b"x")] * 500, False, id="quick at first"),
        pytest.param([(3.5, bytes(4096))] * 500, True, id="a slow line"),
        pytest.param([(100.0, bytes(4096)), *[(0.0, bytes(4096))] * 31] * 5, True, id="with pauses"),
        pytest.param([(1.0, b"x")] * 100, True, id="a small one"),
    ],
)
def test_what_follows_has_a_least_rate(parts: list[tuple[float, bytes]], good: bool) -> None:
    reader = reading(Server(*parts), within=120.0, least=128 * 1024)
    reader.content()
    if good:
        assert drain(reader) == sum(len(part) for _, part in parts)
    else:
        with pytest.raises(SlowError, match=r"it sent \d+ bytes in \d+ s, expected 131072 or more"):
            drain(reader)


def test_only_waiting_for_the_server_counts() -> None:
    server = Server(*[(0.0, b"x")] * 100)
    reader = reading(server, within=1.0)
    reader.content()
    for _ in range(100):
        server.time += 60.0  # the disk is busy
        assert reader.readinto(bytearray(10)) == 1


def test_chunk_headers_and_trailers_without_an_end() -> None:
    reader = reading(Server(*[(0.0, bytes(4096))] * 1000))
    reader.content()
    reader.allow(100, whole=False)
    with pytest.raises(HTTPException, match="more chunk headers and trailers than content"):
        drain(reader)


# Over connections.

FRAMED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("read", [get, fetch], ids=["small", "blob"])
def test_headers_that_drip(make_transport: MakeTransport, begin: bytes, read: Callable[..., bytes]) -> None:
    with listening(dripping(begin)) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({host: HostSettings(plain_http=True)}, answer_timeout=0.2)
        with pytest.raises(NetworkError, match=rf"image 'app': {host}: its answer took more than 0 s") as caught:
            read(transport, f"http://{host}/")
        transport.close()
    assert caught.value.hint == f"run again later; {host} or the way to it is too slow"


def test_a_proxy_that_drips(make_transport: MakeTransport) -> None:
    with listening(dripping(b"HTTP/1.1 200 OK\r\nX: ")) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({}, answer_timeout=0.2, HTTPS_PROXY=f"http://{host}")
        with pytest.raises(NetworkError, match="its answer took more than 0 s"):
            get(transport, "https://registry.example.com/")
        transport.close()


@pytest.mark.parametrize("framing", ["Content-Length: 307200", "Connection: close"])
def test_a_blob_that_drips(make_transport: MakeTransport, meter: RecordingMeter, framing: str) -> None:
    begin = f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode()
    with listening(dripping(begin)) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({host: HostSettings(plain_http=True)}, rate_time=0.2)
        with pytest.raises(NetworkError, match=r"it sent \d+ bytes in 0 s, expected 205 or more; gave up after 3"):
            fetch(transport, f"http://{host}/")
        transport.close()
    assert len(meter.said) == 2


def test_a_blob_that_drips_once(make_transport: MakeTransport) -> None:
    """What came is kept, and the rest is asked for."""
    asked: list[bytes] = []
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 307200\r\n\r\n" + DATA[:200_000]]

    def handle(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        if answers:
            connection.sendall(answers.pop())
            while True:  # until the other side hangs up
                time.sleep(0.01)
                connection.sendall(b"x")
        start = int(asked[-1].partition(b"bytes=")[2].partition(b"-")[0])
        head = f"HTTP/1.1 206 OK\r\nContent-Length: {len(DATA) - start}\r\n"
        head += f"Content-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}\r\n\r\n"
        connection.sendall(head.encode() + DATA[start:])

    with listening(handle) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({host: HostSettings(plain_http=True)}, least_rate=200_000, rate_time=0.5)
        assert fetch(transport, f"http://{host}/") == DATA
        transport.close()
    assert len(asked) == 2


def test_a_blob_that_is_cut_after_each_byte(make_transport: MakeTransport, pauses: list[float]) -> None:
    """Each is progress, and all together are none."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 307200\r\n\r\n" + DATA[: len(pauses) + 1])

    with listening(handle) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({host: HostSettings(plain_http=True)})
        with pytest.raises(NetworkError, match="gave up after"):
            fetch(transport, f"http://{host}/")
    assert len(pauses) == 29


def test_a_chunked_blob_with_endless_headers_of_chunks(make_transport: MakeTransport) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(FRAMED)
        while True:
            connection.sendall(b"1;" + b"y" * 60_000 + b"\r\nx\r\n")

    with listening(handle) as port:
        host = f"127.0.0.1:{port}"
        transport = make_transport({host: HostSettings(plain_http=True)})
        with pytest.raises(NetworkError, match="the connection was cut; gave up after 3 attempts"):
            fetch(transport, f"http://{host}/")
        transport.close()
