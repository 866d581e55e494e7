"""A CNCF registry (Debian's docker-registry) on a free port of loopback, and what to put into it."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urljoin

import trustme
import urllib3

from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.platform import Platform
from tests.integration.images import AMD64, Image, Index, image, layer
from tests.integration.parts import program, running

USERNAME = "operator"
PASSWORD = "loopback-only"
# What `htpasswd -nbB -C 5` makes of the two; the registry reads bcrypt only.
_HTPASSWD = f"{USERNAME}:$2b$05$uERlAqKxgy6/MAneJNQLxuOdr7W8VqUdRVdK9HmVfSMdevMZHnxZa\n"
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d{3}) (?P<size>\d+) ')


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answered request of the registry's access log; `size` is the bytes of the answer's body."""

    method: str
    path: str
    status: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A CA that nobody trusts by default, and a certificate and key of it for loopback."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, place: Path) -> Self:
        """Make all three in the directory `place`."""
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        files = cls(ca=place / "ca.crt", certificate=place / "server.crt", key=place / "server.key")
        authority.cert_pem.write_to_path(files.ca)
        issued.cert_chain_pems[0].write_to_path(files.certificate)
        issued.private_key_pem.write_to_path(files.key)
        return files


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRegistry:
    """A registry that runs; `host` is 127.0.0.1:PORT, `ca` set when it speaks TLS, `username` when it wants a login."""

    host: str
    data: Path
    log: Path
    ca: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    http: urllib3.PoolManager = field(repr=False)

    @property
    def url(self) -> str:
        """`http(s)://HOST`."""
        return f"{'https' if self.ca else 'http'}://{self.host}"

    @property
    def settings(self) -> HostSettings:
        """How our clients reach it."""
        return HostSettings(ca=self.ca, plain_http=self.ca is None)

    def blob_path(self, digest: Digest) -> Path:
        """Where the registry keeps a blob or manifest, for tests that damage it. Nothing is cached in its memory."""
        return self.data / "docker/registry/v2/blobs" / digest.algorithm / digest.hex[:2] / digest.hex / "data"

    def put(self, content: Image | Index, repository: str, tag: str = "") -> Descriptor:
        """Push an image or index; it is named by its digest only when `tag` is empty."""
        if isinstance(content, Index):
            for each in content.images:
                self.put(each, repository)
        else:
            for digest, data in content.blobs.items():
                self.put_blob(repository, digest, [data], len(data))
        self.put_manifest(repository, tag or str(content.descriptor.digest), content.raw, content.descriptor.media_type)
        return content.descriptor

    def put_image(
        self,
        repository: str,
        tag: str,
        *,
        sizes: Sequence[int] = (4096,),
        docker: bool = False,
        platform: Platform = AMD64,
    ) -> Descriptor:
        """Push an image with one gzip layer for each size in bytes, all drawn from the repository's name and tag."""
        layers = [layer(f"{repository}-{tag}-{number}", size) for number, size in enumerate(sizes)]
        return self.put(image(*layers, platform=platform, docker=docker), repository, tag)

    def put_blob(self, repository: str, digest: Digest, chunks: Sequence[bytes] | Iterator[bytes], size: int) -> None:
        """Upload a blob unless the repository has it; `chunks` is read once."""
        if self.request("HEAD", f"/v2/{repository}/blobs/{digest}").status == 200:
            return
        begun = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        _expect(begun, 202)
        place = urljoin(self.url, begun.headers["Location"])
        target = f"{place}{'&' if '?' in place else '?'}{urlencode({'digest': str(digest)})}"
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        _expect(self.request("PUT", target, body=iter(chunks), headers=headers), 201)

    def put_manifest(self, repository: str, name: str, raw: bytes, media_type: str) -> None:
        """Upload a manifest or index under a tag or its digest; what it refers to must be there."""
        path = f"/v2/{repository}/manifests/{name}"
        _expect(self.request("PUT", path, body=raw, headers={"Content-Type": media_type}), 201)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Ask the registry, logged in where it wants a login; any status is returned."""
        login = urllib3.make_headers(basic_auth=f"{self.username}:{self.password}") if self.username else {}
        return self.http.request(
            method,
            urljoin(self.url, path),
            body=body,
            headers={**login, **(headers or {})},
            retries=False,
            timeout=60.0,
        )

    @contextmanager
    def recorded(self) -> Iterator[list[Request]]:
        """The requests that the registry answers in the body, filled in when the body ends."""
        start = self._mark()
        requests: list[Request] = []
        yield requests
        end = self._mark()
        with self.log.open("rb") as file:
            file.seek(start)
            requests += _parse(file.read(end - start).decode(errors="replace"))

    def _mark(self) -> int:
        """The log's length once everything answered before is in it: a request of our own is waited for."""
        probe = f"probe={time.monotonic_ns()}"
        self.request("GET", f"/v2/?{probe}")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            text = self.log.read_bytes()
            if text.endswith(b"\n") and f"?{probe} HTTP".encode() in text:
                return len(text)
            time.sleep(0.02)
        raise AssertionError("the registry writes no access log")


@contextmanager
def cncf_registry(
    root: Path, *, tls: TlsFiles | None = None, login: bool = False, port: int = 0
) -> Iterator[RunningRegistry]:
    """Start a registry with its data below `root`; with `tls` it speaks TLS, with `login` it wants one (Basic).

    Without a `port` it takes a free one.
    """
    binary = program("docker-registry", "registry")
    root.mkdir(parents=True, exist_ok=True)
    log = root / "log"
    config = root / "config.yml"
    config.write_text(json.dumps(_config(root, tls, login=login, port=port)))  # JSON is YAML
    with running([binary, "serve", str(config)], log, ready=lambda: _LISTENING.search(log.read_text()) is not None):
        found = _LISTENING.search(log.read_text())
        assert found
        ca = tls.ca if tls else None
        with urllib3.PoolManager(ca_certs=str(ca) if ca else None) as http:
            yield RunningRegistry(
                host=found[1],
                data=root / "data",
                log=log,
                ca=ca,
                username=USERNAME if login else "",
                password=PASSWORD if login else "",
                http=http,
            )


def _config(root: Path, tls: TlsFiles | None, *, login: bool, port: int) -> dict[str, object]:
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "one session", "relativeurls": True}
    config: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(root / "data")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if tls:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    if login:
        (root / "htpasswd").write_text(_HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "airgap test", "path": str(root / "htpasswd")}}
    return config


def _parse(text: str) -> Iterator[Request]:
    for found in _ACCESS.finditer(text):
        if "?probe=" not in found["path"]:
            yield Request(
                method=found["method"], path=found["path"], status=int(found["status"]), size=int(found["size"])
            )


def _expect(response: urllib3.BaseHTTPResponse, status: int) -> None:
    assert response.status == status, f"registry answered {response.status}: {response.data[:500]!r}"
