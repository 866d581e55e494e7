"""Hosts and ports, and connections to them that come about within seconds or say why not. IPv4 and IPv6."""

import ipaddress
import os
import re
import socket
import threading
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError, NetworkError
from bundle.formats.numbers import number

TIMEOUT = 5.0
"""Seconds that a probe waits: for a name, for a connection, and for each answer."""

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")

Address = tuple[socket.AddressFamily, tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host (name or IP address, without brackets) and a TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, default_port: int = 0) -> Self:
        """Read `HOST:PORT` or `[IPV6]:PORT`; without `default_port` the port must be written."""
        host, colon, port = text.rpartition(":")
        if not colon or "]" in port or (":" in host and not host.startswith("[")):
            host, port = text, ""
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not is_host(host) or "/" in text:
            raise FormatError(f"{text!r} names no host", hint="write HOST:PORT or [IPV6]:PORT")
        if not port and default_port and text[-1:] != ":":
            return cls(host=host, port=default_port)
        if not 0 < (number(port) or 0) < 65536:
            raise FormatError(f"{text!r} has no port from 1 to 65535", hint=f"write it as {host}:PORT")
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_host(host: str) -> bool:
    """Whether this can be a host: an IP address, or a name by RFC 1123 (with underscores, as many sites have)."""
    name = host.removesuffix(".")
    return is_address(host) or (len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split(".")))


def lookup(host: str, port: int = 0) -> tuple[tuple[Address, ...], str]:
    """A host's addresses and its canonical name, from hosts file and DNS; a NetworkError when there are none.

    The system's resolver has no time-out of its own choosing, so it is waited for and then left alone.
    """
    found: list[tuple[tuple[Address, ...], str] | OSError] = []

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
            found.append((tuple((info[0], info[4]) for info in infos), infos[0][3]))
        except OSError as err:
            found.append(err)

    resolver = threading.Thread(target=ask, daemon=True)
    resolver.start()
    resolver.join(TIMEOUT)
    result = found[0] if found else None
    if result is None or (isinstance(result, socket.gaierror) and result.errno == socket.EAI_AGAIN):
        raise NetworkError(
            f"the name servers give no answer for {host}",
            hint="check the name servers that this machine uses (/etc/resolv.conf) and that they can be reached",
        )
    if isinstance(result, OSError):
        name = host.removesuffix(".")
        raise NetworkError(f"host {name} is not known", hint=f"add {name} to the internal DNS, or correct the name")
    return result


def dial(endpoint: Endpoint) -> socket.socket:
    """A TCP connection to the first address that takes one, with TIMEOUT set; a NetworkError when none does."""
    addresses, _ = lookup(endpoint.host, endpoint.port)
    refusals: list[OSError] = []
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT)
        try:
            connection.connect(address)
        except OSError as err:
            connection.close()
            refusals.append(err)
        else:
            return connection
    raise _unreachable(endpoint, refusals, [str(address[0]) for _, address in addresses])


def _unreachable(endpoint: Endpoint, refusals: list[OSError], tried: list[str]) -> NetworkError:
    at = "" if tried == [endpoint.host] else f" (tried {', '.join(tried)})"
    if any(isinstance(err, ConnectionRefusedError) for err in refusals):
        return NetworkError(f"connection refused{at}", hint=f"start what listens on {endpoint}, or correct the port")
    if any(isinstance(err, TimeoutError) for err in refusals):
        return NetworkError(
            f"no connection in {TIMEOUT:.0f} s{at}",
            hint=f"a firewall may drop it: allow TCP to {endpoint} from this machine, or correct the address",
        )
    err = refusals[0]
    reason = os.strerror(err.errno) if err.errno else str(err)
    return NetworkError(
        f"can't be reached: {reason[0].lower()}{reason[1:]}{at}", hint=f"check this machine's route to {endpoint.host}"
    )
