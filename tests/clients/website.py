"""A small web server in this process: pages by path, each with the behaviour that a test needs."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bundle.meter import Meter
from bundle.oci.locations import HostSettings
from clients.http.credentials import Credentials
from clients.http.retry import RetryPolicy
from clients.http.transport import Transport
from clients.registry.repository import Registries


@dataclass(kw_only=True)
class Page:
    """What one path answers. `sized` False leaves out the length; `cut` ends the first answer after so many bytes."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/octet-stream"
    sized: bool = True
    head_status: int = 200
    login: str = ""
    cut: int = 0
    location: str = ""


@dataclass(kw_only=True)
class Website:
    """`pages` may be changed while it runs; `asked` are the requests as `METHOD path [range]`."""

    host: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.host}"

    def registries(self, meter: Meter, *, plain_http: bool = True, docker_config: str = "") -> Registries:
        """What reaches this server, without waiting between attempts; the caller closes its transport."""
        hosts = {self.host: HostSettings(plain_http=plain_http)}
        retry = RetryPolicy(sleep=lambda _: None)
        transport = Transport(hosts, retry=retry, meter=meter, environment={})
        environment = {"DOCKER_CONFIG": docker_config, "HOME": docker_config}
        return Registries(transport, credentials=Credentials(environment), meter=meter)


@contextmanager
def website() -> Iterator[Website]:
    """A server on a free port of loopback, gone at the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    site = Website(host=f"127.0.0.1:{server.server_address[1]}")
    server.site = site
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    site: Website


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.site.asked.append(f"{self.command} {self.path} {wanted}".rstrip())
        page = self.server.site.pages.get(self.path, Page(status=404, body=b"nothing here", media_type="text/plain"))
        status = page.head_status if self.command == "HEAD" and page.head_status != 200 else page.status
        if page.login and self.headers.get("Authorization") != _basic(page.login):
            page = Page(status=401, body=b"log in first", media_type="text/plain")
            status = 401
        body, headers = page.body, {"Content-Type": page.media_type}
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="test"'
        if page.location:
            headers["Location"] = page.location
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if wanted and status == 200:
            status = 206 if start < len(body) else 416
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if page.sized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            if page.cut:
                body, page.cut = body[: page.cut], 0
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the base class calls it so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


def _basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()
