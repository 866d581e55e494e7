"""Access to repositories: Basic, and Bearer tokens from the server that a registry names (distribution-spec)."""

import base64
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from bundle.errors import RegistryError, SourceError
from bundle.formats import strict_json
from clients.http.addresses import netloc, origin
from clients.http.credentials import Credential, Credentials
from clients.http.transport import Transport

_MAX_TOKEN = 1024 * 1024  # bytes of a token server's answer
_CLIENT: Final = "airgap-doit"

_TokenKey = tuple[str, str, str, str]  # registry, realm, service, scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One scheme (lower case) with its parameters (names in lower case)."""

    scheme: str
    parameters: Mapping[str, str]


class Authenticator:
    """Logs in at registries, and keeps the tokens of this run by registry, realm, service and scope."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._tokens: dict[_TokenKey, str] = {}
        self._guards: dict[_TokenKey, threading.Lock] = {}
        self._guard = threading.Lock()

    def access(self, host: str, path: str, *, subject: str, actions: str = "pull") -> "RepositoryAccess":
        """Access to one repository, for `pull` or `pull,push`; `host` as the user's logins name it."""
        return RepositoryAccess(self, host, path, actions=actions, subject=subject)

    def credential(self, host: str, path: str, *, subject: str) -> Credential:
        """The user's login for a repository."""
        scheme = origin(self._transport.base(host))[0]
        return self._credentials.find(host, path, subject=subject, scheme=scheme)

    def token(self, key: _TokenKey, credential: Credential, *, stale: str, subject: str) -> str:
        """A token, the one at hand unless that is the `stale` one; threads that want the same one ask once."""
        with self._guard:
            guard = self._guards.setdefault(key, threading.Lock())
        with guard:
            held = self._tokens.get(key, "")
            if not held or held == stale:
                held = self._tokens[key] = self._ask(key, credential, subject)
            return held

    def _ask(self, key: _TokenKey, credential: Credential, subject: str) -> str:
        host, realm, service, scope = key
        self._check_realm(host, realm, credential, subject)
        query = [("service", service)] if service else []
        try:
            if credential.identity_token:
                form = [("grant_type", "refresh_token"), ("refresh_token", credential.identity_token)]
                form += [*query, ("scope", scope), ("client_id", _CLIENT)]
                answer = self._transport.request(
                    "POST",
                    realm,
                    subject=subject,
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    body=urlencode(form).encode(),
                    limit=_MAX_TOKEN,
                )
            else:
                query += [("scope", scope)] if scope else []
                headers = {} if credential.is_anonymous else {"Authorization": basic(credential)}
                url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
                answer = self._transport.get(url, subject=subject, headers=headers, limit=_MAX_TOKEN)
        except RegistryError as err:
            login = f"the login from {credential.origin}" if credential.origin else "no login"
            raise RegistryError(
                f"{err.what}, asked for a token for {host} with {login}",
                status=err.status,
                code=err.code,
                hint=err.hint or (_refused(host, credential) if err.status in (401, 403) else ""),
            ) from err
        return _token(answer.body, host, subject)

    def _check_realm(self, host: str, realm: str, credential: Credential, subject: str) -> None:
        """A login goes where it belongs: to its own scheme, host and port, or by TLS to whom the registry, reached by
        TLS, says; else only to an address that docker's config gives the same login.
        """
        address, own = netloc(realm), self._transport.base(host)
        if credential.is_anonymous or origin(realm) == origin(own):
            return
        if own.startswith("https:") and realm.lower().startswith("https:"):
            return
        stored = self._credentials.find(address, subject=subject, scheme=origin(realm)[0])
        if (stored.username, stored.password, stored.identity_token) == (
            credential.username, credential.password, credential.identity_token,
        ):  # fmt: skip
            return
        if own.startswith("https:"):
            raise SourceError(
                f"{subject}: {host} wants the login sent to {address} over plain HTTP",
                hint=f"who runs {host} must name a token server with TLS",
            )
        raise SourceError(
            f"{subject}: {host}, reached over plain HTTP, wants the login sent to {address}",
            hint=f"anybody on the way could have named it; reach {host} by TLS (remove plain_http), "
            f"or if {address} is to have this login: docker login {address}",
        )


class RepositoryAccess:
    """The Authorizer of one repository: answers its registry's challenges with the user's login or a token."""

    def __init__(self, authenticator: Authenticator, host: str, path: str, *, actions: str, subject: str) -> None:
        self._authenticator = authenticator
        self._host = host
        self._path = path
        self._scope = f"repository:{path}:{actions}"
        self._subject = subject
        self._header = ""
        self.refused = ""  # what to do, where the user's login was sent and a 401 came back

    def headers(self) -> Mapping[str, str]:
        """What the last challenge was answered with; nothing before the first."""
        return {"Authorization": self._header} if self._header else {}

    def answer(self, challenges: tuple[str, ...], sent: Mapping[str, str]) -> bool:
        """Log in; False when there is nothing better than what was `sent`."""
        tried = sent.get("Authorization", "")
        if self._header != tried:
            return True  # another thread has logged in meanwhile
        offered = {challenge.scheme: challenge for challenge in reversed(parse_challenges(challenges))}
        credential = self._authenticator.credential(self._host, self._path, subject=self._subject)
        header = ""
        if "bearer" in offered:
            header = self._bearer(offered["bearer"], credential, stale=tried.removeprefix("Bearer "))
        elif "basic" in offered and credential.password:
            header = basic(credential)
        if header in ("", tried):
            self.refused = _refused(self._host, credential) if tried.startswith("Basic ") else ""
            return False
        self._header = header
        return True

    def _bearer(self, challenge: Challenge, credential: Credential, *, stale: str) -> str:
        if credential.registry_token:
            return f"Bearer {credential.registry_token}"
        realm = challenge.parameters.get("realm", "")
        if "://" not in realm:
            raise SourceError(f"{self._subject}: {self._host} wants a token, but does not say from where ({realm!r})")
        service = challenge.parameters.get("service", "")
        scope = challenge.parameters.get("scope") or self._scope
        key = (self._host, realm, service, scope)
        return f"Bearer {self._authenticator.token(key, credential, stale=stale, subject=self._subject)}"


def _refused(host: str, credential: Credential) -> str:
    """What to do where a login was sent and not accepted; empty where none was."""
    if not credential.origin:
        return ""
    return f"the login for {host} in {credential.origin} is wrong, or has expired: docker login {host}"


def basic(credential: Credential) -> str:
    """The Authorization of a login (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()


def _token(body: bytes, host: str, subject: str) -> str:
    try:
        data = strict_json.loads(body)
    except ValueError:
        data = None
    token = (data.get("token") or data.get("access_token")) if isinstance(data, dict) else None
    if not isinstance(token, str) or not token:
        # The answer is not shown: it may hold a token in a form not understood.
        raise SourceError(f"{subject}: the token server of {host} answered without a token")
    return token


_PART = re.compile(
    r"""[\s,]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)  # a scheme or a parameter's name
        (?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*)))?""",
    re.VERBOSE,
)


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of the header's values, in their order; what does not follow the grammar is left out."""
    return tuple(challenge for value in values for challenge in _parse(value))


def _parse(value: str) -> Iterator[Challenge]:
    scheme, parameters, at = "", dict[str, str](), 0
    while match := _PART.match(value, at):
        at = match.end()
        quoted, plain = match["quoted"], match["plain"]
        if quoted is None and plain is None:
            if scheme:
                yield Challenge(scheme=scheme, parameters=parameters)
            scheme, parameters = match["name"].lower(), {}
        else:
            parameters[match["name"].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    if scheme:
        yield Challenge(scheme=scheme, parameters=parameters)
