"""How to reach one registry or server host; credentials are never part of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What the spec's `registries` says of one host.

    `mirror` is `host[:port][/path]`, asked first instead of the host; `plain_http` allows HTTP without TLS.
    """

    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    plain_http: bool = False
    mirror: str = ""
