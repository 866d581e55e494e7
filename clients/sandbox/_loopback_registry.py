"""A registry on loopback that forgets all at its end: enough of the OCI distribution-spec 1.1 for a rehearsal's push.

Pull and push of blobs (POST, PATCH, PUT, mounts) and manifests. No deletes, no lists, no referrers, no login.
"""

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bundle.errors import FormatError
from bundle.formats import strict_json
from bundle.formats.numbers import number
from bundle.oci.digest import Digest
from bundle.storage.files import CHUNK, make_directories, write_bytes

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9][a-z0-9._/-]*)/(?P<kind>blobs|manifests)/(?P<rest>\S+)")
_UPLOADS = "uploads/"
_MAX_MANIFEST = 4 * 1024 * 1024  # bytes; distribution-spec "Pushing Manifests"


@contextmanager
def loopback_registry(root: Path) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1, data below `root`; gives HOST:PORT."""
    for part in ("blobs", "uploads"):
        make_directories(root / part)
    server = _Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.tags: dict[tuple[str, str], Digest] = {}
        self.types: dict[tuple[str, Digest], str] = {}
        self.held: set[tuple[str, Digest]] = set()  # which repository may give which blob

    def blob(self, digest: Digest) -> Path:
        return self.root / "blobs" / f"{digest.algorithm}-{digest.hex}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is the client's affair."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Nothing is printed."""

    def do_GET(self) -> None:
        found = _PATH.fullmatch(urlsplit(self.path).path)
        if self.path.rstrip("/") == "/v2":
            self._answer(HTTPStatus.OK)
        elif not found:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
        elif found["rest"].startswith(_UPLOADS):
            self._tell_upload(found["name"], self._place(found["rest"].removeprefix(_UPLOADS)))
        elif found["kind"] == "blobs":
            self._give_blob(found["name"], found["rest"])
        else:
            self._give_manifest(found["name"], found["rest"])

    do_HEAD = do_GET  # noqa: N815 - http.server calls methods by these names

    def do_POST(self) -> None:
        found, query = self._upload()
        if not found:
            return
        mounted = self._digest(query.get("mount", ""))
        if mounted and (query.get("from", ""), mounted) in self.server.held:
            self.server.held.add((found["name"], mounted))
            self._created(f"/v2/{found['name']}/blobs/{mounted}", mounted)
            return
        name = uuid.uuid4().hex
        self._place(name).touch()
        if "digest" in query:
            self._receive(self._place(name))
            self._finish(found["name"], name, query["digest"])
            return
        self._accepted(found["name"], name)

    def do_PATCH(self) -> None:
        found, _ = self._upload()
        if found:
            place = self._place(found["rest"].removeprefix(_UPLOADS))
            if not place.exists():
                self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
                return
            first = number(self.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0])
            if first is not None and first != place.stat().st_size:
                self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
                return
            self._receive(place)
            self._accepted(found["name"], place.name)

    def do_PUT(self) -> None:
        found = _PATH.fullmatch(urlsplit(self.path).path)
        if found and found["kind"] == "manifests":
            self._take_manifest(found["name"], found["rest"])
            return
        found, query = self._upload()
        if found:
            place = self._place(found["rest"].removeprefix(_UPLOADS))
            if not place.exists():
                self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
                return
            self._receive(place)
            self._finish(found["name"], place.name, query.get("digest", ""))

    # Blobs.

    def _upload(self) -> tuple[re.Match[str] | None, dict[str, str]]:
        parts = urlsplit(self.path)
        found = _PATH.fullmatch(parts.path)
        if not found or found["kind"] != "blobs" or not found["rest"].startswith(_UPLOADS):
            found = re.fullmatch(r"/v2/(?P<name>[a-z0-9][a-z0-9._/-]*)/blobs/(?P<rest>uploads/?)", parts.path)
        if not found:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
        return found, {key: values[0] for key, values in parse_qs(parts.query).items()}

    def _tell_upload(self, name: str, place: Path) -> None:
        if place.is_file():
            self._accepted(name, place.name, HTTPStatus.NO_CONTENT)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")

    def _place(self, name: str) -> Path:
        return self.server.root / "uploads" / re.sub(r"[^0-9a-f]", "", name)

    def _receive(self, place: Path) -> None:
        with place.open("ab") as file:
            for chunk in self._body():
                file.write(chunk)

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = number(self.headers.get("Content-Length") or "") or 0
        while left and (chunk := self.rfile.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk

    def _finish(self, name: str, upload: str, stated: str) -> None:
        place, digest = self._place(upload), self._digest(stated)
        if digest is None:
            self._refuse(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
            return
        hasher = digest.hasher()
        with place.open("rb") as file:
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
        if hasher.hexdigest() != digest.hex:
            place.unlink()
            self._refuse(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
            return
        place.replace(self.server.blob(digest))
        self.server.held.add((name, digest))
        self._created(f"/v2/{name}/blobs/{digest}", digest)

    def _give_blob(self, name: str, text: str) -> None:
        digest = self._digest(text)
        if digest is None or (name, digest) not in self.server.held:
            self._refuse(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
            return
        self._send(self.server.blob(digest), "application/octet-stream", digest)

    # Manifests.

    def _take_manifest(self, name: str, reference: str) -> None:
        raw = b"".join(self._body())
        digest = Digest.of(raw)
        stated = self._digest(reference)
        if len(raw) > _MAX_MANIFEST or (stated and stated != digest):
            self._refuse(HTTPStatus.BAD_REQUEST, "MANIFEST_INVALID")
            return
        if any((name, child) not in self.server.held for child in _children(raw)):
            self._refuse(HTTPStatus.BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN")
            return
        write_bytes(self.server.blob(digest), raw)
        self.server.held.add((name, digest))
        self.server.types[name, digest] = self.headers.get("Content-Type", "")
        if stated is None:
            self.server.tags[name, reference] = digest
        self._created(f"/v2/{name}/manifests/{digest}", digest)

    def _give_manifest(self, name: str, reference: str) -> None:
        digest = self._digest(reference) or self.server.tags.get((name, reference))
        if digest is None or (name, digest) not in self.server.types:
            self._refuse(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
            return
        self._send(self.server.blob(digest), self.server.types[name, digest], digest)

    # Answers.

    def _digest(self, text: str) -> Digest | None:
        try:
            return Digest.parse(text)
        except FormatError:
            return None

    def _send(self, path: Path, kind: str, digest: Digest) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Docker-Content-Digest", str(digest))
        self.end_headers()
        if self.command == "GET":
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    self.wfile.write(chunk)

    def _accepted(self, name: str, upload: str, status: HTTPStatus = HTTPStatus.ACCEPTED) -> None:
        size = self._place(upload).stat().st_size
        place = f"/v2/{name}/blobs/{_UPLOADS}{upload}"
        self._answer(status, {"Location": place, "Range": f"0-{max(0, size - 1)}"})

    def _created(self, place: str, digest: Digest) -> None:
        self._answer(HTTPStatus.CREATED, {"Location": place, "Docker-Content-Digest": str(digest)})

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        if self.command in ("POST", "PATCH", "PUT"):
            self.close_connection = True  # a body may be unread
        self._answer(status, body=json.dumps({"errors": [{"code": code, "message": status.phrase}]}).encode())

    def _answer(self, status: HTTPStatus, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _children(raw: bytes) -> Iterator[Digest]:
    """What a manifest or an index refers to and a registry must have before it."""
    try:
        data = strict_json.loads(raw)
    except ValueError:
        return
    if isinstance(data, dict):
        for each in [data.get("config"), *data.get("layers", ()), *data.get("manifests", ())]:
            if isinstance(each, dict) and not each.get("urls"):
                yield Digest.parse(str(each.get("digest")))
