"""A Docker Engine that does wrong on demand: HTTP on a Unix socket, each request answered by what a test planned."""

import json
import os
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Handler = BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


@dataclass(slots=True)
class FakeEngine:
    """Answers by `METHOD PATH` without version and query; `seen` are the requests with their headers and bodies."""

    socket: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    version: str = "1.41"

    @property
    def env(self) -> dict[str, str]:
        """The environment that leads to it."""
        return {"DOCKER_HOST": f"unix://{self.socket}", "HOME": "/nonexistent"}

    def plan(self, request: str, answer: Answer) -> None:
        """Answer this request so, each time."""
        self.answers[request] = answer


def body(status: int, data: Any) -> Answer:
    """A status and a JSON body."""

    def answer(handler: Handler) -> None:
        text = json.dumps(data).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def stream(*parts: Any, cut: bool = False) -> Answer:
    """A chunked stream of messages, or of bytes as they are; a `cut` one lacks its end."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in parts:
            data = part if isinstance(part, bytes) else json.dumps(part).encode() + b"\r\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if not cut:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


@contextmanager
def fake_engine() -> Iterator[FakeEngine]:
    """Start one, on a socket of its own."""
    place = Path(tempfile.mkdtemp(prefix="fake-engine-"))  # the path of a socket may have 107 bytes only
    engine = FakeEngine(socket=place / "docker.sock")

    class Requests(Handler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def address_string(self) -> str:
            return "socket"

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/v1."):
                path = "/" + path.split("/", 2)[2]
            request = f"{self.command} {path}"
            answer = engine.answers.get(request, body(404, {"message": f"no such thing: {request}"}))
            if path == "/_ping":
                self.send_response(200)
                self.send_header("Api-Version", engine.version)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            length = int(self.headers.get("Content-Length") or 0)
            taken = b"" if getattr(answer, "early", False) else self.rfile.read(length)
            engine.seen.append((f"{self.command} {self.path}", dict(self.headers), taken))
            answer(self)
            self.close_connection = True

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is what tests are about."""

    with Server(str(engine.socket), Requests) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
    shutil.rmtree(place)


def early(answer: Answer) -> Answer:
    """The same answer, without reading what is sent."""

    def at_once(handler: Handler) -> None:
        answer(handler)

    at_once.early = True  # type: ignore[attr-defined]
    return at_once


def stop(path: Path) -> None:
    """Take a socket away, as an Engine that is stopped does."""
    os.unlink(path)
