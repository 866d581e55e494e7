"""Whether something at the site can be reached from this machine: TCP ports and web addresses, without any proxy."""

import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from bundle.errors import AirgapError, FormatError, NetworkError
from bundle.formats import strict_json
from clients.http.addresses import netloc
from clients.http.errors import Fault
from clients.http.pace import Pace, keep_pace
from clients.preflight._endpoints import TIMEOUT, Endpoint, dial
from clients.preflight.findings import Finding, Findings, finding_of
from clients.preflight.tls import certificate_findings, trusting

_MAX_BODY = 256 * 1024  # bytes that are looked through for the text


def tcp(target: str) -> Findings:
    """Something takes connections at `HOST:PORT`."""
    subject = f"tcp {target}"
    try:
        dial(Endpoint.parse(target)).close()
    except AirgapError as err:
        return (finding_of(err, subject),)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a GET is to be answered with."""

    status: int
    text: str
    members: Mapping[str, str]


def http(
    url: str, *, ca: Path | None = None, status: int = 200, text: str = "", members: Mapping[str, str] | None = None
) -> Findings:
    """A GET of `url` answers with `status` and, among its first bytes, `text` (empty: any); no redirect is followed.

    `members` are those that the JSON object in the answer must have, each as text (`1`, `true`, `null`). `ca` is
    trusted besides the system's CAs.
    """
    subject = f"http {url}"
    try:
        parsed = _parse(url)
        endpoint = Endpoint.parse(parsed.netloc or "", default_port=443 if parsed.scheme == "https" else 80)
        if parsed.scheme == "http":
            dial(endpoint).close()
        elif untrusted := certificate_findings(endpoint, subject=subject, ca=ca):
            return untrusted
        wanted = _Answer(status=status, text=text, members=members or {})
        return _ask(parsed, subject, trusting(ca), wanted)
    except AirgapError as err:
        return (finding_of(err, subject),)


def not_from_pod(kind: str, target: str) -> Finding:
    """Says that a check was made from this machine only, and how to make it from a pod by hand.

    Before the first change nothing of the bundle is in the registry, and what else the cluster runs is not known to
    have a shell; a pod that can't start would say nothing about the target.
    """
    return Finding(
        subject=f"{kind} {target}",
        what="not checked from a pod, only from this machine: no image to do it with is there before the install",
        hint="ask from a pod with a shell: kubectl exec POD -- getent hosts HOST, kubectl exec POD -- nc -vz HOST PORT",
        severity="warning",
    )


def _parse(url: str) -> Url:
    try:
        parsed = parse_url(url)
    except LocationParseError as err:
        raise FormatError(f"{url!r} is not an address", hint="write https://HOST/PATH") from err
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise FormatError(f"{url!r} is not an address of the web", hint="write https://HOST/PATH")
    return parsed


def _ask(url: Url, subject: str, context: ssl.SSLContext, wanted: _Answer) -> Findings:
    timeout = urllib3.Timeout(connect=TIMEOUT, read=TIMEOUT)
    headers = {"User-Agent": "airgap-doit", "Accept-Encoding": "identity"}
    try:
        with urllib3.PoolManager(ssl_context=context, timeout=timeout) as web:
            keep_pace(web, Pace(answer=TIMEOUT, least=_MAX_BODY, within=TIMEOUT))
            response = web.request(
                "GET", url.url, headers=headers, redirect=False, retries=False, preload_content=False
            )
            with closing(response):
                body = response.read(_MAX_BODY) if wanted.text or wanted.members else b""
    except Fault as err:
        raise NetworkError(
            "it takes connections, but gives no answer over HTTP", hint=f"look at what serves {netloc(url.url)}"
        ) from err
    if response.status != wanted.status:
        place = response.headers.get("Location", "")
        to = f", a redirect to {netloc(place) if '://' in place else place}" if place else ""
        return (_unexpected(subject, "it answers with another status", str(wanted.status), f"{response.status}{to}"),)
    kind = response.headers.get("Content-Type", "no type")
    if wanted.text.encode() not in body:
        found = f"{kind}, {len(body)} bytes without it"
        return (_unexpected(subject, "its answer does not have the text", repr(wanted.text), found),)
    return _members(body, kind, subject, wanted.members) if wanted.members else ()


def _members(body: bytes, kind: str, subject: str, wanted: Mapping[str, str]) -> Findings:
    try:
        found = strict_json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return (_unexpected(subject, "its answer is no JSON object", "one", f"{kind}, {len(body)} bytes"),)
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return tuple(
        _unexpected(subject, f"its answer has another {name!r}", repr(value), repr(shown.get(name, "none"))[:100])
        for name, value in wanted.items()
        if shown.get(name) != value
    )


def _unexpected(subject: str, what: str, expected: str, observed: str) -> Finding:
    hint = "check that the address leads to the right server; the check can name another status"
    return Finding(subject=subject, what=what, expected=expected, observed=observed, hint=hint)
