"""What kubectl and helm say about the Kubernetes API, turned into one clear error with the next step."""

import os
import re

from bundle.errors import ClusterError, ClusterReason

MAX_WORDS = 600  # characters of a program's own words

_LOG_LINE = re.compile(r"^([EWIF]\d{4} [\d:.]+ |time=\S+ level=|level=|WARNING: |Warning: |warning: )")
_REVIEW_CONFIG = "check the cluster's address in the kubeconfig (KUBECONFIG), and that this host reaches it"
_LOG_IN = "get a fresh token or certificate into the kubeconfig; test it with: kubectl auth can-i --list"
_NO_CONFIG = "localhost:8080"  # what kubectl and helm try where no kubeconfig says more
_CHOOSE_CONFIG = "point KUBECONFIG to the cluster's kubeconfig and check its current context"

# First match wins: what is told about TLS contains "unable to connect" too.
_FAULTS: tuple[tuple[tuple[str, ...], ClusterReason, str], ...] = (
    (
        ("x509: certificate signed by unknown authority",),
        "untrusted",
        "put the CA of the cluster into the kubeconfig: certificate-authority",
    ),
    (
        ("certificate has expired or is not yet valid",),
        "untrusted",
        "renew the certificate, or correct this host's clock",
    ),
    (
        ("x509: ",),
        "untrusted",
        "use the cluster's address that its certificate names, or set tls-server-name in the kubeconfig",
    ),
    (("tls: ", "server gave HTTP response to HTTPS client"), "untrusted", _REVIEW_CONFIG),
    (
        (
            "Unauthorized",
            "must be logged in to the server",
            "provide credentials",
            "Please enter Username",
            "getting credentials: ",
        ),
        "unauthorized",
        _LOG_IN,
    ),
    (
        (
            "no configuration has been provided",
            "invalid configuration",
            "error loading config file",
            "Error in configuration",
            r"context \S+ does not exist",
            _NO_CONFIG,
            "stat .*: no such file or directory",
        ),
        "unreachable",
        _CHOOSE_CONFIG,
    ),
    (
        (
            "connection to the server .* was refused",
            "connection refused",
            "no such host",
            "server misbehaving",
            "i/o timeout",
            "no route to host",
            "network is unreachable",
            "connection reset",
            "TLS handshake timeout",
            "Unable to connect to the server",
            "Kubernetes cluster unreachable",
            "context deadline exceeded",
            r"Client\.Timeout",
            r"\bEOF\b",
        ),
        "unreachable",
        _REVIEW_CONFIG,
    ),
    (
        (
            "etcdserver: ",
            r"\((Timeout|ServiceUnavailable|TooManyRequests|InternalError)\)",
            "currently unable to handle the request",
        ),
        "unreachable",
        "the API server is busy or starting: run it again in a minute",
    ),
    (("is forbidden: (exceeded|failed) quota",), "invalid", "ask for a larger quota, or free some"),
    (("denied the request", "violates PodSecurity"), "invalid", "ask who looks after this admission policy"),
    (
        (r"\(Forbidden\)", "is forbidden: ", r"cannot \w+ resource"),
        "forbidden",
        "ask for this right, or use another account",
    ),
    ((r"\(AlreadyExists\)", "already exists"), "exists", ""),
    ((r"[Aa]pply failed with \d+ conflict", r"\(Conflict\)"), "conflict", ""),
    (
        (
            r"\(NotFound\)",
            "doesn't have a resource type",
            "no matches for kind",
            "could not find the requested resource",
        ),
        "not found",
        "",
    ),
    (
        (
            " is invalid: ",
            "Invalid value",
            "illegal base64",
            r"\(BadRequest\)",
            "error validating",
            "strict decoding error",
            "cannot be handled as a",
        ),
        "invalid",
        "",
    ),
)
_COMPILED = tuple((re.compile("|".join(patterns)), reason, hint) for patterns, reason, hint in _FAULTS)
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)


def cluster_error(text: str, *, subject: str) -> ClusterError:
    """The error for what a program said about the cluster; one with an empty reason when the words are not known."""
    known = known_fault(text, subject=subject)
    return known or ClusterError(f"{subject}: {spoken(text) or 'it failed without an error message'}")


def known_fault(text: str, *, subject: str) -> ClusterError | None:
    """The error for words that are known; None for any others."""
    words = spoken(text)
    if _NO_CONFIG in words and (absent := _absent_config(os.environ.get("KUBECONFIG", ""))):
        what = f"{subject}: KUBECONFIG names {absent!r}, which is not there"
        return ClusterError(
            what, reason="unreachable", hint="point KUBECONFIG to the cluster's kubeconfig, or unset it"
        )
    for pattern, reason, hint in _COMPILED:
        if pattern.search(words):
            if reason == "forbidden" and (found := _FORBIDDEN.search(words)):
                return _forbidden(found, subject)
            return ClusterError(f"{subject}: {words}", reason=reason, hint=hint)
    return None


def _absent_config(paths: str) -> str:
    """The first of the files that KUBECONFIG names, where none is there; else empty."""
    named = [path for path in paths.split(os.pathsep) if path]
    return "" if any(map(os.path.exists, named)) else next(iter(named), "")


def spoken(text: str) -> str:
    """What is meant for people in a program's standard error: without log lines and prefixes, on one line, bounded."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not _LOG_LINE.match(line)] or lines[-1:]
    line = " ".join("".join(c if c.isprintable() else " " for c in " ".join(kept)).split())
    line = re.sub(r"^(Error|error): | Please review the fields above.*", "", line)
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}..."


def _forbidden(found: re.Match[str], subject: str) -> ClusterError:
    """Which right is missing, and how an administrator gives it."""
    resource, group, namespace = found["resource"], found["group"] or "", found["namespace"] or ""
    named = f"{resource}.{group}" if group else resource
    place = f"in namespace {namespace!r}" if namespace else "in the whole cluster"
    scope = f"--namespace {namespace}" if namespace else "--all-namespaces"
    return ClusterError(
        f"{subject}: the account {found['user']!r} may not {found['verb']} {named} {place}",
        reason="forbidden",
        hint=f"ask for this right; test it with: kubectl auth can-i {found['verb']} {named} {scope}",
    )
