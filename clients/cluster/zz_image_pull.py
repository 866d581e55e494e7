"""Why a node can't pull an image, read from what its container runtime says."""

import re
from dataclasses import dataclass

from bundle.errors import FormatError
from bundle.oci.reference import Reference

_RUNTIME_PREFIX = re.compile(r"^.*?ErrImagePull: |rpc error: code = \w+ desc = |failed to pull and unpack image \S+ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFault:
    """The runtime's words without what surrounds them, the next step, and whether trying again may help."""

    words: str
    hint: str
    may_heal: bool


def pull_fault(image: str, message: str) -> PullFault:
    """What a message about `image` means. One that only tells of waiting (Back-off pulling image) may heal."""
    host = _host(image)
    words = _RUNTIME_PREFIX.sub("", message).strip()
    for pattern, hint, may_heal in _CAUSES:
        if re.search(pattern, message, re.IGNORECASE):
            return PullFault(words=words, hint=hint.format(host=host, image=image), may_heal=may_heal)
    return PullFault(words=words, hint=f"on a node, try: crictl pull {image}", may_heal=True)


def _host(image: str) -> str:
    try:
        return Reference.parse(image).host
    except FormatError:
        return "the registry"


# First match wins.
_CAUSES = (
    (
        r"x509|certificate|tls: ",
        "make the nodes' container runtime trust the CA of {host} (containerd: certs.d/{host}/hosts.toml)",
        False,
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "give {host} TLS, or let the nodes' runtime speak plain HTTP to it (containerd: certs.d/{host}/hosts.toml)",
        False,
    ),
    (
        r"manifest unknown|not found|name unknown|repository does not exist",
        "check that {image} is in the registry, and that the chart's values name it as the bundle pushed it",
        False,
    ),
    (
        r"unauthorized|authentication required|\b40[13]\b|denied|no basic auth|forbidden|authorization failed",
        "check that the namespace has a pull secret for {host} with a login that works, and that the pod uses it",
        False,
    ),
    (
        r"no match for platform|exec format",
        "make the bundle for the nodes' platform: bundle.platform",
        False,
    ),
    (
        r"no such host|timeout|refused|unreachable|\b429\b|\b50\d\b|EOF|reset|no route",
        "check that the nodes resolve and reach {host}",
        True,
    ),
)
