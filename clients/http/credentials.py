"""Logins from Docker's configuration and its credential helpers (docker-credential-helpers protocol).

Looked at in this order: REGISTRY_AUTH_FILE, `config.json` in DOCKER_CONFIG or ~/.docker, and
`containers/auth.json` in XDG_RUNTIME_DIR, as `podman login` and `skopeo login` write it.
"""

import base64
import binascii
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundle.errors import MissingToolError, ProgramError, SourceError
from bundle.formats import strict_json
from bundle.oci.reference import DOCKER_HUB
from bundle.storage.files import read_small
from clients.programs.process import run

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_TOKEN_USER = "<token>"  # noqa: S105 - what a helper answers as the name when the secret is an identity token
_NOT_FOUND = ("credentials not found", "no credentials")
_HELPER_TIMEOUT = 60.0  # seconds; a helper may ask a cloud for a fresh token


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user's login at one registry. Its text form never shows a secret; without any it is anonymous."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether there is nothing to log in with."""
        return not (self.password or self.identity_token or self.registry_token)


ANONYMOUS = Credential()


class Credentials:
    """Finds the login for a registry host. Each host is looked up once; safe for several threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._found: dict[tuple[str, str], Credential] = {}
        self._guards: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def find(self, host: str, path: str = "", *, subject: str, scheme: str = "https") -> Credential:
        """The login for `host[:port]` (and repository `path`, where a file tells paths apart); ANONYMOUS without one.

        An entry that states a scheme is for that one only.

        A file that can't be read or a helper that fails is a SourceError.
        """
        with self._guard:
            guard = self._guards.setdefault(host, threading.Lock())
        with guard:
            for file in self._files():
                config = _load(file, subject)
                found = self._stored(config, host, file, subject) or _written(
                    config, host, path, file, subject=subject, scheme=scheme
                )
                if found:
                    return found
        return ANONYMOUS

    def _files(self) -> Iterator[Path]:
        env = self._environment
        if named := env.get("REGISTRY_AUTH_FILE"):
            yield Path(named)
        if directory := env.get("DOCKER_CONFIG"):
            yield Path(directory, "config.json")
        elif home := env.get("HOME"):
            yield Path(home, ".docker", "config.json")
        if runtime := env.get("XDG_RUNTIME_DIR"):
            yield Path(runtime, "containers", "auth.json")

    def _stored(self, config: Mapping[str, Any], host: str, file: Path, subject: str) -> Credential | None:
        """What the helper that the file names for this host answers."""
        helpers = config.get("credHelpers")
        helper = _helper(helpers, host) if isinstance(helpers, dict) else ""
        helper = helper or config.get("credsStore") or ""
        if not isinstance(helper, str) or not helper:
            return None
        key = (helper, host)
        if key not in self._found:
            self._found[key] = _ask(helper, host, file, subject, self._environment)
        return None if self._found[key].is_anonymous else self._found[key]


def _load(file: Path, subject: str) -> Mapping[str, Any]:
    try:
        data = strict_json.loads(read_small(file) or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        reason = err.strerror or err if isinstance(err, OSError) else "it is not JSON"
        raise SourceError(
            f"{subject}: the logins in {file} can't be read: {reason}", hint=f"fix {file}, or set DOCKER_CONFIG"
        ) from err
    return data if isinstance(data, dict) else {}


def _keys(host: str) -> tuple[str, ...]:
    """The names under which a host's login is kept."""
    return (_HUB_KEY, *sorted(_HUB_HOSTS)) if host in _HUB_HOSTS else (host,)


def _helper(helpers: Mapping[str, Any], host: str) -> str:
    return next((str(helpers[key]) for key in _keys(host) if helpers.get(key)), "")


def _written(
    config: Mapping[str, Any], host: str, path: str, file: Path, *, subject: str, scheme: str
) -> Credential | None:
    """The login that stands in the file itself; the entry with the longest matching path goes first."""
    auths = config.get("auths")
    if not isinstance(auths, dict):
        return None
    hosts = _HUB_HOSTS if host in _HUB_HOSTS else {host}
    matching = {}
    for key, entry in auths.items():
        stated, _, bare = key.rpartition("://")
        name, _, scope = bare.rstrip("/").partition("/")
        scope = "" if scope in ("v1", "v2") else scope
        if stated.lower() not in ("", scheme):
            continue
        if name in hosts and isinstance(entry, dict) and f"{path}/".startswith(f"{scope}/" if scope else ""):
            credential = _entry(entry, key, file, subject)
            if not credential.is_anonymous:
                matching[(len(scope), key == host)] = credential
    return matching[max(matching)] if matching else None


def _entry(entry: Mapping[str, Any], key: str, file: Path, subject: str) -> Credential:
    """One object of `auths`: username and password, or both as base64 in `auth`, or a token."""
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if auth := entry.get("auth"):
        try:
            whole = "".join(str(auth).split())  # `base64` wraps its lines, and who reads them passes over that
            username, _, password = base64.b64decode(whole, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            # No cause: its text would show part of the secret.
            raise SourceError(
                f"{subject}: the login for {key} in {file} is not base64", hint=f"docker login {key}"
            ) from None
    token = str(entry.get("identitytoken") or "")
    return Credential(
        username=username,
        password=password.strip("\0"),
        identity_token=token,
        registry_token=str(entry.get("registrytoken") or ""),
        origin=str(file),
    )


def _ask(helper: str, host: str, file: Path, subject: str, environment: Mapping[str, str]) -> Credential:
    """Run `docker-credential-HELPER get`, the host on its standard input."""
    program = f"docker-credential-{helper}"
    try:
        done = run(
            [program, "get"],
            subject=subject,
            timeout=_HELPER_TIMEOUT,
            stdin=_keys(host)[0].encode(),
            env=environment,
            terminal=True,  # some ask there for a second factor
        )
    except MissingToolError as err:
        raise SourceError(
            f"{subject}: {file} names the credential helper {program} for {host}, which is not installed",
            hint=f"install {program} on PATH, or remove it from {file} and run: docker login {host}",
        ) from err
    except ProgramError as err:
        raise SourceError(
            f"{subject}: the credential helper {program} failed for {host}: {err.reason}",
            hint=f"try it by hand: {program}",
        ) from err
    if done.code:
        words = " ".join((done.text or done.stderr).split())[:300]
        if any(phrase in words.lower() for phrase in _NOT_FOUND):
            return ANONYMOUS
        raise SourceError(
            f"{subject}: the credential helper {program} failed for {host}: {words or f'exit code {done.code}'}",
            hint=f"try it by hand: echo {host} | {program} get",
        )
    return _answer(done.stdout, program, host, subject)


def _answer(output: bytes, program: str, host: str, subject: str) -> Credential:
    try:
        data = strict_json.loads(output)
        username, secret = str(data["Username"]), str(data["Secret"])
    except (ValueError, KeyError, TypeError):
        # No cause: its text could show the secret.
        raise SourceError(
            f"{subject}: the credential helper {program} gave an unreadable answer for {host}",
            hint=f"try it by hand: echo {host} | {program} get",
        ) from None
    if username == _TOKEN_USER:
        return Credential(identity_token=secret, origin=program)
    return Credential(username=username, password=secret, origin=program)
