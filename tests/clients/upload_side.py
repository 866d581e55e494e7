"""What a registry does when it is pushed to; part of the stand-in of faulty_registry.py."""

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from bundle.oci.digest import Digest


@dataclass(slots=True)
class Reply:
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class UploadSide:
    """Blobs by repository, and uploads that are under way. `place` is put before the paths of Locations."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], bytes] = {}
        self.sessions: dict[str, bytearray] = {}
        self.begun = 0
        self.place = ""
        self.keeps = True  # whether the bytes that came before a cut stay
        self.mounts = True

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply | None:
        """The answer to a request about uploads; None for any other."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        repository, found, session = url.path.removeprefix("/v2/").partition("/blobs/uploads/")
        if not found:
            return None
        if method == "POST" and not session:
            return self._begin(repository, query)
        if session not in self.sessions:
            return refused(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        if method == "PATCH":
            return self._append(repository, session, headers, body)
        if method == "PUT":
            return self._close(repository, session, query["digest"], body)
        return self._status(204, repository, session)

    def cut(self, target: str, body: bytes) -> None:
        """A request's body ended after these bytes."""
        session = urlsplit(target).path.rpartition("/")[2]
        if self.keeps and session in self.sessions:
            self.sessions[session] += body
        else:
            self.sessions.pop(session, None)

    def _begin(self, repository: str, query: dict[str, str]) -> Reply:
        data = self.held.get((query.get("from", ""), query.get("mount", "")))
        if data is not None and self.mounts:
            self.held[repository, query["mount"]] = data
            return Reply(201)
        self.begun += 1
        session = f"session-{self.begun}"
        self.sessions[session] = bytearray()
        return self._status(202, repository, session)

    def _append(self, repository: str, session: str, headers: dict[str, str], body: bytes) -> Reply:
        start = headers.get("content-range", "0-").partition("-")[0]
        if int(start) != len(self.sessions[session]):
            return Reply(416)
        self.sessions[session] += body
        return self._status(202, repository, session)

    def _close(self, repository: str, session: str, digest: str, body: bytes) -> Reply:
        data = bytes(self.sessions.pop(session)) + body
        if str(Digest.of(data)) != digest:
            return refused(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.held[repository, digest] = data
        return Reply(201, {"Docker-Content-Digest": digest})

    def _status(self, status: int, repository: str, session: str) -> Reply:
        size = len(self.sessions[session])
        location = f"{self.place}/v2/{repository}/blobs/uploads/{session}?_state={size}"
        return Reply(status, {"Location": location, "Range": f"0-{max(0, size - 1)}"})


def refused(status: int, code: str, message: str) -> Reply:
    """The distribution-spec's error body."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)
