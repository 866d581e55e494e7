"""A stand-in for the ZenML Pro control plane: its API as the vendor documents it, its dashboard, and faults on order.

Organizations and workspaces come as lists with `offset` and `limit`. The enrollment key is told once, by the POST that
enrols. Whatever is no route is the dashboard's page, with status 200.
"""

import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/v1"
PAGE = b"<!doctype html><title>ZenML Pro</title>"


@dataclass(kw_only=True)
class Fault:
    """What the next `times` requests of `method` and `path` are answered with; status 0 hangs up, `seconds` waits.

    `done`: what was asked for is done all the same.
    """

    method: str
    path: str
    status: int
    detail: str = "as ordered"
    kind: str = "application/json"
    seconds: float = 0.0
    times: int = 1
    done: bool = False


@dataclass(kw_only=True)
class ControlPlane:
    """What it holds, what it was asked, and how it is to fail."""

    users: dict[str, str] = field(default_factory=dict)
    organizations: dict[str, str] = field(default_factory=dict)
    workspaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    most_workspaces: int = 10
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes, token: str) -> tuple[int, Any]:
        """The status and the JSON of one request; a text is a page."""
        if path in ("/health", "/ready"):
            return 200, "OK"
        if path == f"{API}/info" and self.info:
            return 200, dict(self.info)
        if not path.startswith(f"{API}/"):
            return 200, PAGE
        route = path.removeprefix(API)
        if (method, route) == ("POST", "/auth/login"):
            return self._login({key: values[0] for key, values in parse_qs(body.decode()).items()})
        user = self._tokens.get(token)
        if user is None:
            return 401, {"detail": "Not authenticated"}
        return self._known(method, route, query, body, user)

    def _known(self, method: str, route: str, query: Mapping[str, str], body: bytes, user: str) -> tuple[int, Any]:
        match method, route:
            case "POST", "/users":
                if query["username"] in self.users:
                    return 409, {"detail": f"user {query['username']} with {query['password']} exists"}
                self.users[query["username"]] = query["password"]
                return 200, {"id": str(uuid.uuid4()), "is_superuser": query.get("is_superuser") == "true"}
            case "GET", "/organizations":
                return 200, _page([{"id": id_, "name": name} for id_, name in self.organizations.items()], query)
            case "POST", "/organizations":
                name = json.loads(body)["name"]
                if name in self.organizations.values():
                    return 409, {"detail": "name taken"}
                made = str(uuid.uuid4())
                self.organizations[made] = name
                return 200, {"id": made, "name": name}
            case "GET", "/workspaces":
                found = [
                    {key: value for key, value in each.items() if key != "enrollment_key"}
                    for each in self.workspaces.values()
                    if each["organization"]["id"] == query["organization_id"]
                    and each["name"] == query["workspace_name"]
                ]
                return 200, _page(found, query)
            case "POST", "/workspaces":
                return self._enrol(query, json.loads(body), user)
            case "DELETE", _ if route.startswith("/workspaces/"):
                self.workspaces[route.rpartition("/")[2]]["status"] = "deleted"
                return 200, None
        return 404, {"detail": "Not Found"}

    def _login(self, form: Mapping[str, str]) -> tuple[int, Any]:
        if self.users.get(form["username"]) != form["password"]:
            return 401, {"detail": f"wrong password {form['password']}"}
        token = uuid.uuid4().hex
        self._tokens[token] = form["username"]
        return 200, {"access_token": token, "token_type": "bearer"}

    def _enrol(self, query: Mapping[str, str], body: Mapping[str, str], user: str) -> tuple[int, Any]:
        alive = [each for each in self.workspaces.values() if each["status"] != "deleted"]
        if query.get("enroll") != "true":
            return 422, {"detail": [{"msg": "only enrolling is possible here"}]}
        if any(each["name"] == body["name"] for each in alive):
            return 409, {"detail": "a workspace of this name exists"}
        if len(alive) >= self.most_workspaces:
            return 409, {"detail": f"the limit of {self.most_workspaces} workspaces is reached"}
        made = {
            "id": str(uuid.uuid4()),
            "name": body["name"],
            "organization": {"id": body["organization_id"], "name": self.organizations[body["organization_id"]]},
            "status": "not_initialized",
            "enrollment_key": uuid.uuid4().hex,
            "by": user,
        }
        self.workspaces[made["id"]] = made
        return 200, made

    def take_fault(self, method: str, path: str) -> Fault | None:
        """The fault that was ordered for this request, used up."""
        for fault in self.faults:
            if fault.times and (fault.method, fault.path) == (method, path):
                fault.times -= 1
                return fault
        return None


def _page(entries: list[Any], query: Mapping[str, str]) -> list[Any]:
    offset, limit = int(query.get("offset", "0")), int(query.get("limit", "20"))
    return entries[offset : offset + limit]


class _Handler(BaseHTTPRequestHandler):
    plane: ControlPlane

    def _respond(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.plane.asked.append(f"{self.command} {parts.path}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if fault := self.plane.take_fault(self.command, parts.path):
            time.sleep(fault.seconds)
            if fault.done:
                self.plane.answer(self.command, parts.path, query, body, token)
            if fault.status == 0:
                self.close_connection = True
                return
            told = PAGE if fault.kind == "text/html" else json.dumps({"detail": fault.detail}).encode()
            self._send(fault.status, fault.kind, told)
            return
        status, found = self.plane.answer(self.command, parts.path, query, body, token)
        if isinstance(found, bytes):
            self._send(status, "text/html", found)
        else:
            self._send(status, "application/json", b"" if found is None else json.dumps(found).encode())

    do_GET = do_POST = do_DELETE = _respond  # noqa: N815 - http.server's names

    def _send(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status in (302, 307):
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked did not wait

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def serving(
    plane: ControlPlane, *, address: tuple[str, int] = ("127.0.0.1", 0), tls: ssl.SSLContext | None = None
) -> Iterator[ControlPlane]:
    """Serve it from a thread until the end; its `url` is set."""
    server = ThreadingHTTPServer(address, type("Handler", (_Handler,), {"plane": plane}))
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    plane.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield plane
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
