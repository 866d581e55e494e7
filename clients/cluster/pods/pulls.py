"""Why an image is not pulled: the container runtime's words, and what they mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bundle.errors import FormatError
from bundle.oci.reference import Reference

_RUNTIME_PREFIX = re.compile(r"^.*?ErrImagePull: |rpc error: code = \w+ desc = |failed to pull and unpack image \S+ ")

_ADDRESS = re.compile(r"https?://[^\s\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFault:
    """The runtime's words without what surrounds them, the next step, and whether trying again may help."""

    words: str
    hint: str
    may_heal: bool


def pull_fault(image: str, message: str, *, secrets: Sequence[str] | None = None) -> PullFault:
    """What a message about `image` means. One that only tells of waiting (Back-off pulling image) may heal.

    `secrets` are the pull secrets that its pod uses, None where that is not known.
    """
    host = registry_host(image)
    words = _RUNTIME_PREFIX.sub("", message).strip()
    # What the image is called must not decide: a tag may be 403, a repository timeout.
    bare = _ADDRESS.sub("URL", message.replace(image, "IMAGE").replace(image.rpartition(":")[0] or image, "IMAGE"))
    for pattern, step, may_heal in _CAUSES:
        if re.search(pattern, bare, re.IGNORECASE):
            known = step is _LOGIN and secrets is not None
            hint = (_NAMED_LOGIN if secrets else _NO_LOGIN) if known else step
            hint = hint.format(host=host, image=image, secrets=", ".join(secrets or ()))
            return PullFault(words=words, hint=hint, may_heal=may_heal)
    return PullFault(words=words, hint=f"on a node, try: crictl pull {image}", may_heal=True)


def registry_host(image: str) -> str:
    """Whom a node asks for an image, in words where its name can't be read."""
    try:
        return Reference.parse(image).host
    except FormatError:
        return "the registry"


_LOGIN = "check that the namespace has a pull secret for {host} with a login that works, and that the pod uses it"
_NO_LOGIN = (
    "the pod uses no pull secret: name a pull secret for {host} in the values (mostly imagePullSecrets), and see that "
    "the namespace has it; if {host} wants no login, check that {image} is there"
)
_NAMED_LOGIN = (
    "check that pull secret {secrets} is in the namespace and holds a login for {host} that works and may read {image}"
)

_UNREACHED = (
    r"no such host|server misbehaving|name resolution|timeout|timed out|refused|unreachable|no route|reset|EOF"
    r"|\b429\b|\b50\d\b"
)

# First match wins. A registry that wants a login does not say whether the image is there: the login comes first.
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
        r"unauthorized|authentication required|\b40[13]\b|denied|no basic auth|forbidden|authorization failed",
        _LOGIN,
        False,
    ),
    (
        r"manifest unknown|not found|name unknown|repository does not exist",
        "check that {image} is in the registry, and that the chart's values name it as the bundle pushed it",
        False,
    ),
    (
        r"no match for platform|exec format",
        "make the bundle for the nodes' platform: bundle.platform",
        False,
    ),
    (
        r"no space left on device|disk quota exceeded",
        "free disk space where the node keeps images (crictl rmi --prune), or give the node more",
        True,
    ),
    (
        _UNREACHED,
        "check that the nodes resolve and reach {host}",
        True,
    ),
)
