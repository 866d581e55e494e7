"""Addresses: what they name, whom they may be trusted with, and how messages show them."""

from urllib.parse import urljoin

from urllib3.util import parse_url

from bundle.errors import SourceError
from bundle.oci.reference import DOCKER_HUB

_HUB_ADDRESS = "registry-1.docker.io"


def address(url: str, location: str, subject: str) -> str:
    """The address that `location` (empty: the same) names at `url`; a SourceError when it is none."""
    try:
        joined = urljoin(url, location)
        parse_url(joined)
    except ValueError as err:
        raise SourceError(f"{subject}: {location or url!r} is not an address") from err
    return joined


def netloc(url: str) -> str:
    """`host[:port]` of an address: no path, query or user, which may be secret."""
    parsed = parse_url(url)
    return f"{parsed.host}:{parsed.port}" if parsed.port else parsed.host or url


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port, by which an address may be trusted with what belongs to it (RFC 6454)."""
    parsed = parse_url(url)
    return parsed.scheme or "", parsed.host or "", parsed.port or (443 if parsed.scheme == "https" else 80)


def registry_address(host: str) -> str:
    """Where the registry is that references call `host`."""
    return _HUB_ADDRESS if host == DOCKER_HUB else host
