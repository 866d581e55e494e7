"""Which proxy a request goes through, by the environment, by Docker's rules (Go's httpproxy)."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bundle.formats.numbers import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies for http and https addresses (empty: none) and the NO_PROXY patterns."""

    http: str = ""
    https: str = ""
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read HTTP_PROXY, HTTPS_PROXY and NO_PROXY; upper case goes first."""

        def value(name: str) -> str:
            return environment.get(name) or environment.get(name.lower(), "")

        patterns = (part.strip().lower() for part in value("NO_PROXY").split(","))
        return cls(
            http=_address(value("HTTP_PROXY")),
            https=_address(value("HTTPS_PROXY")),
            exceptions=tuple(pattern for pattern in patterns if pattern),
        )

    def choose(self, scheme: str, host: str, port: int) -> str:
        """The proxy's URL for an address; empty when it is reached directly, as localhost and loopback always are."""
        host = host.strip("[]").lower().rstrip(".")
        if host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback):
            return ""
        if any(_matches(pattern, host, port) for pattern in self.exceptions):
            return ""
        return self.https if scheme == "https" else self.http


def _address(text: str) -> str:
    """A proxy's URL; `host:port` without a scheme means http."""
    return text if not text or "://" in text else f"http://{text}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _matches(pattern: str, host: str, port: int) -> bool:
    """Whether a NO_PROXY pattern (`*`, IP, CIDR range, domain with its subdomains; `:port` narrows) covers a host."""
    if pattern == "*":
        return True
    if "/" in pattern:
        try:
            return _is_ip(host) and ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    if not _is_ip(pattern):
        name, colon, wanted_port = pattern.rpartition(":")
        if colon and (wanted_number := number(wanted_port)) is not None:
            if wanted_number != port:
                return False
            pattern = name.strip("[]")
    pattern = pattern.removeprefix("*")
    if pattern.startswith("."):
        return host.endswith(pattern)
    return host == pattern or (not _is_ip(host) and host.endswith(f".{pattern}"))
