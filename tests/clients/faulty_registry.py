"""A registry inside the test process that does wrong exactly what a test asks of it."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from tests.clients.upload_side import UploadSide, refused

OFTEN = 40  # as often as anybody tries again


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Answer:
    """One response. `cut` closes the connection after so many bytes of the body, `stall` falls silent there."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    stall: int | None = None


Fault = Callable[["Seen", Answer], Answer]
"""Makes another answer of the right one."""


class FaultyRegistry:
    """Serves what was put into it; planned faults are played once each, in their order."""

    def __init__(self, port: int, *, scheme: str) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"{scheme}://{self.host}"
        self.seen: list[Seen] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.ranges = True
        self.basic = ""  # `user:password` where the registry wants a login
        self.realm = ""  # where the registry sends for tokens; empty: none are wanted
        self.tokens: set[str] = set()  # the tokens that are good now
        self.issued = 0
        self.referrers = 0  # how many entries a page of the referrers API has; 0: there is no such API
        self.connections = 0
        self.over = threading.Event()
        self.uploads = UploadSide()
        self._short: list[tuple[str, int]] = []
        self._planned: list[tuple[str, Fault]] = []
        self._guard = threading.Lock()

    def plan(self, part: str, *faults: Fault) -> None:
        """Play the faults, one a request, on requests whose `METHOD path` contains `part`."""
        self._planned += [(part, fault) for fault in faults]

    def plan_short(self, part: str, *sizes: int) -> None:
        """Close the connection after so many bytes of the body of requests whose `METHOD path` contains `part`."""
        self._short += [(part, size) for size in sizes]

    def short(self, request: str) -> int | None:
        """How many bytes of a request's body are taken before the connection is closed; None for all."""
        with self._guard:
            for number, (part, size) in enumerate(self._short):
                if part in request:
                    del self._short[number]
                    return size
        return None

    def put_blob(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.blobs[str(digest)] = data
        return digest

    def put_manifest(self, repository: str, tag: str, raw: bytes, media_type: str) -> Descriptor:
        digest = Digest.of(raw)
        for name in (tag, str(digest)):
            self.manifests[repository, name] = (raw, media_type)
        return Descriptor(media_type=media_type, digest=digest, size=len(raw))

    def put_image(self, repository: str, tag: str, *layers: bytes, config: dict[str, Any] | None = None) -> Descriptor:
        """An OCI image with these layers, its config for linux/amd64."""
        config_bytes = json.dumps(config or {"os": "linux", "architecture": "amd64", "of": repository}).encode()
        described = [
            Descriptor(media_type=media_types.OCI_LAYER, digest=self.put_blob(layer), size=len(layer)).to_dict()
            for layer in layers
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": Descriptor(
                media_type=media_types.OCI_CONFIG, digest=self.put_blob(config_bytes), size=len(config_bytes)
            ).to_dict(),
            "layers": described,
        }
        return self.put_manifest(repository, tag, json.dumps(manifest).encode(), media_types.OCI_MANIFEST)

    def put_index(self, repository: str, tag: str, *children: Descriptor) -> Descriptor:
        index = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [child.to_dict() for child in children],
        }
        return self.put_manifest(repository, tag, json.dumps(index).encode(), media_types.OCI_INDEX)

    def requests(self, part: str) -> list[Seen]:
        """The requests whose `METHOD path` contains `part`."""
        return [seen for seen in self.seen if part in f"{seen.method} {seen.path}"]

    def answer(self, seen: Seen) -> Answer:
        with self._guard:
            self.seen.append(seen)
            right = self._right(seen)
            for number, (part, fault) in enumerate(self._planned):
                if part in f"{seen.method} {seen.path}":
                    del self._planned[number]
                    return fault(seen, right)
            return right

    def _right(self, seen: Seen) -> Answer:
        path = urlsplit(seen.path).path
        if path == "/token":
            return self._token(seen)
        if denied := self._denied(seen):
            return denied
        if reply := self.uploads.answer(seen.method, seen.path, seen.headers, seen.body):
            return Answer(status=reply.status, headers=reply.headers, body=reply.body)
        parts = path.removeprefix("/v2/").rsplit("/", 2)
        if len(parts) == 3 and parts[1] == "blobs" and parts[2] in self.blobs:
            return self._blob(seen, self.blobs[parts[2]])
        if len(parts) == 3 and parts[1] == "blobs" and (parts[0], parts[2]) in self.uploads.held:
            return self._blob(seen, self.uploads.held[parts[0], parts[2]])
        if len(parts) == 3 and parts[1] == "manifests" and seen.method == "PUT":
            return self._stored(seen, parts[0], parts[2])
        if len(parts) == 3 and parts[1] == "manifests" and (parts[0], parts[2]) in self.manifests:
            raw, media_type = self.manifests[parts[0], parts[2]]
            return Answer(headers={"Content-Type": media_type, "Docker-Content-Digest": str(Digest.of(raw))}, body=raw)
        if len(parts) == 3 and parts[1] == "referrers" and self.referrers:
            return self._referrers(seen, parts[0], parts[2])
        known = any(repository == parts[0] for repository, _ in self.manifests)
        return refusal(404, "MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN", "not known here")(seen, Answer())

    def _referrers(self, seen: Seen, repository: str, subject: str) -> Answer:
        """One page of what names a manifest as its subject (distribution-spec, "Listing Referrers")."""
        found = {
            str(Digest.of(raw)): {
                "mediaType": media_type, "digest": str(Digest.of(raw)), "size": len(raw),
                "artifactType": data.get("artifactType") or data["config"]["mediaType"],
            }
            for (owner, _), (raw, media_type) in self.manifests.items()
            if owner == repository and (data := json.loads(raw)).get("subject", {}).get("digest") == subject
        }  # fmt: skip
        start = int(parse_qs(urlsplit(seen.path).query).get("from", ["0"])[0])
        entries, end = list(found.values()), start + self.referrers
        index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries[start:end]}
        headers = {"Content-Type": media_types.OCI_INDEX}
        if end < len(entries):
            headers["Link"] = f'</v2/{repository}/referrers/{subject}?from={end}>; rel="next"'
        return Answer(headers=headers, body=json.dumps(index).encode())

    def _stored(self, seen: Seen, repository: str, name: str) -> Answer:
        """Store a pushed manifest, if all that it names is there."""
        data = json.loads(seen.body)
        named = [data["config"], *data["layers"]] if "layers" in data else data["manifests"]
        known = {digest for owner, digest in (*self.uploads.held, *self.manifests) if owner == repository}
        if any(child["digest"] not in known | self.blobs.keys() for child in named):
            reply = refused(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
            return Answer(status=reply.status, headers=reply.headers, body=reply.body)
        stored = self.put_manifest(repository, name, seen.body, seen.headers["content-type"])
        return Answer(status=201, headers={"Docker-Content-Digest": str(stored.digest)})

    def _denied(self, seen: Seen) -> Answer | None:
        sent = seen.headers.get("authorization", "")
        if self.basic and not self.realm and sent != basic(self.basic):
            challenge = 'Basic realm="test"'
        elif self.realm and sent.removeprefix("Bearer ") not in self.tokens:
            challenge = f'Bearer realm="{self.realm}",service="test",scope="repository:{_repository(seen)}:pull"'
        else:
            return None
        answer = refusal(401, "UNAUTHORIZED", "authentication required")(seen, Answer())
        answer.headers["WWW-Authenticate"] = challenge
        return answer

    def _token(self, seen: Seen) -> Answer:
        form = parse_qs(seen.body.decode())
        if (
            self.basic
            and form.get("refresh_token") != [self.basic]
            and seen.headers.get("authorization") != basic(self.basic)
        ):
            return Answer(status=401, body=b'{"details": "incorrect username or password"}')
        self.issued += 1
        token = f"token-{self.issued}"
        self.tokens.add(token)
        return Answer(body=json.dumps({"token": token}).encode())

    def _blob(self, seen: Seen, data: bytes) -> Answer:
        wanted = seen.headers.get("range", "")
        if not (wanted and self.ranges):
            return Answer(body=data)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        return Answer(status=206, headers=headers, body=data[start:])


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


def cut(after: int) -> Fault:
    """Close the connection after so many bytes of the body."""
    return lambda _, right: Answer(status=right.status, headers=right.headers, body=right.body, cut=after)


def stall(after: int) -> Fault:
    """Fall silent after so many bytes of the body."""
    return lambda _, right: Answer(status=right.status, headers=right.headers, body=right.body, stall=after)


def corrupt(seen: Seen, right: Answer) -> Answer:
    """Change one byte in the middle of the body."""
    body = bytearray(right.body)
    body[len(body) // 2] ^= 1
    return Answer(status=right.status, headers=right.headers, body=bytes(body))


def with_headers(**headers: str) -> Fault:
    """Set headers (`_` stands for `-`); an empty value leaves the header out."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, right: Answer(status=right.status, headers={**right.headers, **named}, body=right.body)


def instead(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Another answer altogether."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, __: Answer(status=status, headers=named, body=body)


def refusal(status: int, code: str, message: str) -> Fault:
    """The distribution-spec's error body."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": {}}]}).encode()
    return instead(status, body, Content_Type="application/json")


def redirect(url: str) -> Fault:
    return instead(307, b"moved", Location=url)


def _repository(seen: Seen) -> str:
    return urlsplit(seen.path).path.removeprefix("/v2/").rsplit("/", 2)[0]


@contextmanager
def faulty_registry(*, certificate: Path | None = None, client_ca: Path | None = None) -> Iterator[FaultyRegistry]:
    """Start one on a free port of loopback, over TLS when there is a `certificate` (PEM with its key).

    With `client_ca` it wants a client certificate.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            registry.connections += 1

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            taken = registry.short(f"{self.command} {self.path}")
            seen = Seen(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length if taken is None else taken),
            )
            if taken is not None:
                registry.uploads.cut(seen.path, seen.body)
                self.close_connection = True
                return
            self._send(registry.answer(seen))

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            stop = answer.cut if answer.cut is not None else answer.stall
            if self.command != "HEAD":
                self.wfile.write(answer.body[:stop])
                self.wfile.flush()
            if answer.stall is not None:
                registry.over.wait(30)
            if stop is not None or not answer.headers.get("Content-Length", "x"):
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        registry = FaultyRegistry(server.server_port, scheme="https" if certificate else "http")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            registry.over.set()
            server.shutdown()
            thread.join()
