"""Makes a workspace known to the ZenML Pro control plane, and prints what its server has to be told, as JSON.

Needs only Python's standard library. What is there already is found and used: the superuser, the organization, the
workspace. The enrollment key of a workspace is told once, when it is enrolled; a later run takes it from
AIRGAP_LAST_OUTPUTS. A workspace that was made in the dashboard is used with its own key: ZENML_ENROLLMENT_KEY_MAIN for
one that is called `main`. Nothing is deleted, unless ZENML_REENROLL is the very name of the workspace.

Passwords are read from ADMIN_PASSWORD and SUPERUSER_PASSWORD. The system's CAs are trusted, or those in SSL_CERT_FILE.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

ADMIN = "admin"
OUTPUTS = ("organization_id", "organization_name", "workspace_id", "workspace_name", "enrollment_key")
PAGE = 100  # entries of a list asked for at once
PAUSE = 2.0  # seconds between two tries
SECRET_PATHS = ("/auth/login", "/users")  # what is answered there may repeat a password
TROUBLED = (429, 500, 502, 503, 504)  # statuses that may pass


class EnrollError(Exception):
    """What went wrong, and the next step."""

    def __init__(self, what: str, *, hint: str, status: int = 0) -> None:
        super().__init__(f"{what} next: {hint}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status of an answer, its media type and its body."""

    status: int
    kind: str
    body: bytes

    @property
    def is_html(self) -> bool:
        """Whether it is a page, such as the dashboard, and no answer of the API."""
        return "html" in self.kind or self.body.lstrip()[:1] == b"<"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: followed, it would take the token along."""

    def redirect_request(self, *_: Any) -> None:
        """Nothing."""


class ControlPlane:
    """The control plane's API below `url`. `patience` is how long it may be away or in trouble, in seconds."""

    def __init__(self, url: str, *, timeout: float, patience: float) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._patience = patience
        # Inside there is no proxy to pass on the way to an internal host.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        self.token = ""

    def wait(self) -> None:
        """Until it is well: `OK` or JSON at /health or /api/v1/health, and not the dashboard's page."""
        deadline = time.monotonic() + self._patience
        seen = ""
        while True:
            for path in ("/health", "/api/v1/health"):
                try:
                    answer = self._send("GET", f"{self.url}{path}", None, {})
                except OSError as err:
                    seen = f"{path}: {err}"
                    continue
                if answer.status == 200 and not answer.is_html and _is_well(answer.body):
                    return
                seen = f"{path}: status {answer.status}, {answer.kind or 'no type'}"
            if time.monotonic() > deadline:
                hint = "look at the pods: kubectl -n zenml-pro get pods; and at the ingress and its certificate"
                raise EnrollError(f"the control plane at {self.url} is not well ({seen})", hint=hint)
            time.sleep(PAUSE)

    def login(self, username: str, password: str) -> None:
        """Log in; calls go out in this name from here on."""
        form = urlencode({"username": username, "password": password}).encode()
        found = self.call("POST", "/auth/login", data=form, kind="application/x-www-form-urlencoded", again=True)
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise EnrollError("/auth/login answers without an access_token", hint=_FOREIGN)
        self.token = found["access_token"]

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
        kind: str = "application/json",
        again: bool = False,
    ) -> Any:
        """The JSON that is answered. What reads, and what may be done twice (`again`), is tried while it helps."""
        headers = {"Content-Type": kind} if data is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        address = f"{self.url}/api/v1{path}{'?' + urlencode(query) if query else ''}"
        deadline = time.monotonic() + (self._patience if again or method == "GET" else 0)
        while True:
            try:
                answer = self._send(method, address, data, headers)
            except OSError as err:
                trouble = EnrollError(f"{method} {path}: no answer ({err})", hint=_RETRY)
            else:
                if answer.status not in TROUBLED:
                    return _json(method, path, answer)
                trouble = _refusal(method, path, answer)
            if time.monotonic() >= deadline:
                raise trouble
            time.sleep(PAUSE)

    def listed(self, path: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """Every entry of a list, page by page."""
        offset = 0
        while True:
            found = self.call("GET", path, query={**query, "offset": str(offset), "limit": str(PAGE)})
            if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                raise EnrollError(f"GET {path} answers with no list of objects", hint=_FOREIGN)
            yield from found
            if len(found) < PAGE:
                return
            offset += len(found)

    def _send(self, method: str, address: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(address, data=data, headers=dict(headers), method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return Answer(status=response.status, kind=response.headers.get_content_type(), body=response.read())
        except urllib.error.HTTPError as err:
            with err:
                return Answer(status=err.code, kind=err.headers.get_content_type(), body=err.read())
        except urllib.error.URLError as err:
            raise OSError(str(err.reason)) from err


_FOREIGN = "check that the host of the control plane leads to its API, and that its version is the bundle's"
_RETRY = "run install again when it answers; what is done stays done"


def enroll(control: ControlPlane, asked: argparse.Namespace, env: Mapping[str, str]) -> dict[str, str]:
    """What the workspace's server has to be told."""
    control.wait()
    become_superuser(control, asked.superuser, env)
    organization = find_organization(control, asked.organization)
    workspace = find_workspace(control, organization["id"], asked.workspace)
    if workspace and env.get("ZENML_REENROLL") == asked.workspace:
        say(f"workspace {asked.workspace!r} is deleted, as ZENML_REENROLL asks")
        control.call("DELETE", f"/workspaces/{workspace['id']}")
        workspace = None
    if workspace:
        return {**_outputs(workspace, organization), "enrollment_key": known_key(workspace, asked.workspace, env)}
    variable = key_variable(asked.workspace)
    if env.get(variable):
        hint = f"correct `organization` or the workspace's `name` in the site file, or: unset {variable}"
        where = f"organization {asked.organization!r} has no workspace {asked.workspace!r}"
        raise EnrollError(f"{variable} is set, and {where}", hint=hint)
    say(f"workspace {asked.workspace!r} is enrolled in organization {asked.organization!r}")
    body = json.dumps({"name": asked.workspace, "organization_id": organization["id"]}).encode()
    enrolled = control.call("POST", "/workspaces", query={"enroll": "true"}, data=body)
    if not isinstance(enrolled, dict) or not enrolled.get("enrollment_key") or not enrolled.get("id"):
        raise EnrollError("POST /workspaces answers without an id or enrollment_key", hint=_FOREIGN)
    return {**_outputs(enrolled, organization), "enrollment_key": str(enrolled["enrollment_key"])}


def become_superuser(control: ControlPlane, name: str, env: Mapping[str, str]) -> None:
    """Log in as the superuser, who is made by the admin when there is none yet."""
    try:
        control.login(name, env["SUPERUSER_PASSWORD"])
    except EnrollError as err:
        if err.status not in (400, 401, 403, 404):
            raise
    else:
        return
    try:
        control.login(ADMIN, env["ADMIN_PASSWORD"])
    except EnrollError as err:
        if err.status != 401:
            raise
        hint = (
            f"if the password of {ADMIN} or {name} was changed by hand, set it back to what the secrets admin-password "
            "and superuser-password in the namespace zenml-pro hold"
        )
        raise EnrollError(f"the control plane knows neither {name} nor {ADMIN} by their passwords", hint=hint) from err
    say(f"superuser {name!r} is made")
    query = {"username": name, "password": env["SUPERUSER_PASSWORD"], "is_superuser": "true"}
    try:
        control.call("POST", "/users", query=query)
    except EnrollError as err:
        if err.status != 409:
            raise
        hint = "set it to what the secret superuser-password holds, or name another one: `superuser:` in the site file"
        raise EnrollError(f"there is a user {name!r}, with another password", hint=hint) from err
    control.login(name, env["SUPERUSER_PASSWORD"])


def find_organization(control: ControlPlane, name: str) -> Mapping[str, Any]:
    """The organization of this name, made when there is none."""
    for each in control.listed("/organizations"):
        if each.get("name") == name:
            return each
    say(f"organization {name!r} is made")
    made = control.call("POST", "/organizations", data=json.dumps({"name": name}).encode())
    if not isinstance(made, dict) or not made.get("id"):
        raise EnrollError("POST /organizations answers without an id", hint=_FOREIGN)
    return made


def find_workspace(control: ControlPlane, organization: str, name: str) -> Mapping[str, Any] | None:
    """The workspace of this name in the organization, deleted ones left out."""
    for each in control.listed("/workspaces", organization_id=organization, workspace_name=name):
        if each.get("name") == name and each.get("status") != "deleted" and each.get("id"):
            return each
    return None


def key_variable(name: str) -> str:
    """The variable that hands in the enrollment key of the workspace: that of `team-b` ends in TEAM_B."""
    return f"ZENML_ENROLLMENT_KEY_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


def known_key(workspace: Mapping[str, Any], name: str, env: Mapping[str, str]) -> str:
    """The enrollment key of a workspace that exists: the one that was handed in, else that of the last run."""
    if given := env.get(key_variable(name)):
        return given
    last = json.loads(env.get("AIRGAP_LAST_OUTPUTS") or "{}")
    if last.get("workspace_id") == str(workspace["id"]) and last.get("enrollment_key"):
        return str(last["enrollment_key"])
    hint = (
        f"hand in the key that the dashboard showed: export {key_variable(name)}=KEY; or take another name: "
        "`workspace: name:` in the site file; or, if nothing of the old one is needed, "
        f"have it deleted and enrolled anew: export ZENML_REENROLL={name}"
    )
    raise EnrollError(f"workspace {name!r} exists, and its enrollment key is not known here", hint=hint)


def _outputs(workspace: Mapping[str, Any], organization: Mapping[str, Any]) -> dict[str, str]:
    own = workspace.get("organization") or organization
    return {
        "organization_id": str(own["id"]),
        "organization_name": str(own["name"]),
        "workspace_id": str(workspace["id"]),
        "workspace_name": str(workspace["name"]),
    }


def _is_well(body: bytes) -> bool:
    text = body.strip()
    if text.strip(b'"').upper() == b"OK":
        return True
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(text), dict)
    return False


def _json(method: str, path: str, answer: Answer) -> Any:
    if not 200 <= answer.status < 300:
        raise _refusal(method, path, answer)
    if not answer.body.strip():
        return None
    try:
        return json.loads(answer.body)
    except ValueError as err:
        raise EnrollError(
            f"{method} {path} answers with {answer.kind or 'something'}, not JSON", hint=_FOREIGN
        ) from err


def _refusal(method: str, path: str, answer: Answer) -> EnrollError:
    detail = ""
    if path not in SECRET_PATHS:
        with contextlib.suppress(ValueError, AttributeError):
            told = json.loads(answer.body).get("detail")
            detail = f": {told[:300]}" if isinstance(told, str) else ""
    hint = {
        401: "check the account and its password",
        402: "the license allows no more: ask the vendor, or remove what is not used any more",
        403: "the account may not do this: it must be a superuser",
        409: "something of this name is there already: look at it in the dashboard, or take another name",
        422: "the control plane does not take a value: check the names in the site file",
    }.get(answer.status, _RETRY if answer.status in TROUBLED else _FOREIGN)
    return EnrollError(f"{method} {path}: status {answer.status}{detail}", hint=hint, status=answer.status)


def say(text: str) -> None:
    """Tell people, on standard error: standard output is for the outputs."""
    print(text, file=sys.stderr)


def main() -> int:
    """Exit code 0 with the outputs printed, 1 with one line that says why not."""
    parser = argparse.ArgumentParser(description="Enrol a workspace in a ZenML Pro control plane.")
    parser.add_argument("--control-plane", required=True, metavar="URL")
    parser.add_argument("--superuser", required=True, metavar="NAME", help="made by the admin when there is none")
    parser.add_argument("--organization", required=True, metavar="NAME")
    parser.add_argument("--workspace", required=True, metavar="NAME")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="for one answer")
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS", help="while it is away")
    asked = parser.parse_args()
    control = ControlPlane(asked.control_plane, timeout=asked.timeout, patience=asked.patience)
    try:
        found = enroll(control, asked, os.environ)
    except EnrollError as err:
        say(str(err))
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
