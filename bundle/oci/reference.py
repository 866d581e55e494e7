"""Image references, as Docker and containers/image read them (distribution/reference grammar)."""

import re
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError
from bundle.oci.digest import Digest

DOCKER_HUB = "docker.io"

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*"
    r"|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_HINT = "write [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST], for example docker.io/library/nginx:1.27"


def looks_like_host(first: str) -> bool:
    """Whether the first path component names a registry host, by Docker's rule: a dot, a colon, or `localhost`."""
    return "." in first or ":" in first or first == "localhost" or first.lower() != first


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reference:
    """A repository on a registry, with a tag, a digest or both (either may be empty or None).

    `nginx` is read as `docker.io/library/nginx`; the text form always names the host.
    """

    host: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; Docker Hub's shorthand is expanded, no tag is invented."""
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        slash = rest.rfind("/")
        colon = rest.rfind(":")
        tag = ""
        if colon > slash:
            rest, tag = rest[:colon], rest[colon + 1 :]
            if not _TAG.fullmatch(tag):
                raise FormatError(f"{text!r} has no valid tag ({tag!r})", hint=_HINT)
        first, slash_sign, path = rest.partition("/")
        if not (slash_sign and looks_like_host(first)):
            first, path = DOCKER_HUB, rest
        if first in ("index.docker.io", "registry-1.docker.io"):
            first = DOCKER_HUB
        if first == DOCKER_HUB and path and "/" not in path:
            path = f"library/{path}"
        if not _HOST.fullmatch(first):
            raise FormatError(f"{text!r} has no valid registry host ({first!r})", hint=_HINT)
        _check_path(text, path)
        return cls(host=first, path=path, tag=tag, digest=digest)

    @property
    def repository(self) -> str:
        """`host/path`, without tag and digest."""
        return f"{self.host}/{self.path}"

    @property
    def name(self) -> str:
        """The last path component."""
        return self.path.rpartition("/")[2]

    def at(self, digest: Digest) -> Self:
        """The same repository and tag, pinned to `digest`."""
        return type(self)(host=self.host, path=self.path, tag=self.tag, digest=digest)

    def __str__(self) -> str:
        text = f"{self.repository}:{self.tag}" if self.tag else self.repository
        return f"{text}@{self.digest}" if self.digest else text


def _check_path(text: str, path: str) -> None:
    if not path:
        raise FormatError(f"{text!r} has no repository path", hint=_HINT)
    for component in path.split("/"):
        if not _COMPONENT.fullmatch(component):
            hint = "repository names are lower case" if component.lower() != component else _HINT
            raise FormatError(f"{text!r} has no valid repository path (at {component!r})", hint=hint)
    if len(path) > 255:
        raise FormatError(f"{text!r} has a repository path of {len(path)} characters, at most 255 are allowed")


def check_prefix(text: str) -> None:
    """Refuse what is not HOST[:PORT][/PATH]."""
    hint = "write HOST[:PORT][/PATH], for example registry.mycompany.com/zenml"
    if "://" in text:
        raise FormatError(f"{text!r} is an address", hint=f"leave out {text.partition('://')[0]}://")
    if not looks_like_host(text.partition("/")[0]):
        raise FormatError(f"{text!r} names no registry host", hint=hint)
    try:
        Reference.parse(f"{text}/image")
    except FormatError as err:
        raise FormatError(f"{text!r} is no place in a registry", hint=hint) from err
