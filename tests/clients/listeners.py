"""Servers of a few bytes on loopback, for probes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Handle = Callable[[socket.socket], None]


@contextmanager
def listening(handle: Handle, *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Hand each connection (over TLS with a `context`) to `handle`, then close it; yields the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:

        def serve() -> None:
            # A client that refuses the certificate or hangs up is what many of these tests are about.
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10)
                    if context is None:
                        handle(connection)
                        continue
                    with context.wrap_socket(connection, server_side=True) as secured:
                        handle(secured)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def silence(connection: socket.socket) -> None:
    """Say nothing until the other side hangs up."""
    while connection.recv(4096):
        pass


def saying(data: bytes) -> Handle:
    """Says `data` at once and hangs up."""
    return lambda connection: connection.sendall(data)


def answering(*answers: bytes) -> Handle:
    """Gives one answer to each message, then hangs up."""

    def handle(connection: socket.socket) -> None:
        for answer in answers:
            if connection.recv(4096):
                connection.sendall(answer)

    return handle
