"""Whether something at the site can be reached from this machine: TCP ports and web addresses, without any proxy."""

import ssl
from contextlib import closing
from pathlib import Path

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from bundle.errors import AirgapError, FormatError, NetworkError
from clients.addresses import netloc
from clients.endpoints import TIMEOUT, Endpoint, dial
from clients.faults import Fault
from clients.preflight import Finding, Findings, finding_of
from clients.tls_probe import certificate_findings, trusting

_MAX_BODY = 256 * 1024  # bytes that are looked through for the text


def tcp(target: str) -> Findings:
    """Something takes connections at `HOST:PORT`."""
    subject = f"tcp {target}"
    try:
        dial(Endpoint.parse(target)).close()
    except AirgapError as err:
        return (finding_of(err, subject),)
    return ()


def http(url: str, *, ca: Path | None = None, status: int = 200, text: str = "") -> Findings:
    """A GET of `url` answers with `status` and, among its first bytes, `text` (empty: any); no redirect is followed.

    `ca` is trusted besides the system's CAs.
    """
    subject = f"http {url}"
    try:
        parsed = _parse(url)
        endpoint = Endpoint.parse(parsed.netloc or "", default_port=443 if parsed.scheme == "https" else 80)
        if parsed.scheme == "http":
            dial(endpoint).close()
        elif untrusted := certificate_findings(endpoint, subject=subject, ca=ca):
            return untrusted
        return _answer(parsed, subject, trusting(ca), status, text)
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


def _answer(url: Url, subject: str, context: ssl.SSLContext, status: int, text: str) -> Findings:
    timeout = urllib3.Timeout(connect=TIMEOUT, read=TIMEOUT)
    headers = {"User-Agent": "airgap-doit", "Accept-Encoding": "identity"}
    try:
        with urllib3.PoolManager(ssl_context=context, timeout=timeout) as web:
            response = web.request(
                "GET", url.url, headers=headers, redirect=False, retries=False, preload_content=False
            )
            with closing(response):
                body = response.read(_MAX_BODY) if text else b""
    except Fault as err:
        raise NetworkError(
            "it takes connections, but gives no answer over HTTP", hint=f"look at what serves {netloc(url.url)}"
        ) from err
    if response.status != status:
        place = response.headers.get("Location", "")
        to = f", a redirect to {netloc(place) if '://' in place else place}" if place else ""
        return (_unexpected(subject, "it answers with another status", str(status), f"{response.status}{to}"),)
    if text.encode() not in body:
        found = f"{response.headers.get('Content-Type', 'no type')}, {len(body)} bytes without it"
        return (_unexpected(subject, "its answer lacks the text", repr(text), found),)
    return ()


def _unexpected(subject: str, what: str, expected: str, observed: str) -> Finding:
    hint = "check that the address leads to the right server; the check can name another status"
    return Finding(subject=subject, what=what, expected=expected, observed=observed, hint=hint)
