"""Who tries to reach outside, seen in a network namespace where every address leads to its loopback."""

import ipaddress
import socket
import struct
import threading
from collections.abc import Collection
from typing import Self

_ETH_P_ALL = 3  # linux/if_ether.h
_PACKET_OUTGOING = 4  # linux/if_packet.h
_TCP, _UDP = 6, 17
_DNS = 53
_POLL = 0.2  # seconds
# What a cluster answers itself, or asks with its own domains behind each name.
_OWN_DOMAINS = (".cluster.local.", ".svc.", ".in-addr.arpa.", ".ip6.arpa.")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class OutsideWatch:
    """Notes each attempt between `__enter__` and `__exit__`: `HOST:PORT` of connections, names that were looked up.

    `inside` are networks of the target's own. Needs CAP_NET_RAW in the namespace, which whoever made it has.
    """

    def __init__(self, *, inside: Collection[Network] = ()) -> None:
        self._inside = inside
        self._found: dict[str, None] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))

    def __enter__(self) -> Self:
        self._socket.settimeout(_POLL)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    @property
    def attempts(self) -> tuple[str, ...]:
        """What was tried, each once, in the order in which it was."""
        return tuple(self._found)

    def _watch(self) -> None:
        while True:
            try:
                packet, (device, _, kind, *_) = self._socket.recvfrom(65536)
            except TimeoutError:
                if self._ended.is_set():
                    return
                continue
            # What leaves on the loopback, and what arrives from pods, is each seen once.
            if (kind == _PACKET_OUTGOING) == (device == "lo") and (found := attempt(packet, self._inside)):
                self._found[found] = None


def attempt(packet: bytes, inside: Collection[Network] = ()) -> str:
    """What an IP packet tries to reach outside, empty when nothing: the first packet of a connection, or a question.

    RFC 791, 8200 (without extension headers), 9293, 768 and 1035. A truncated packet is nothing.
    """
    try:
        protocol, target, payload = _ip(packet)
        if protocol == _TCP:
            _, port, flags = struct.unpack_from("!HH9xB", payload)
            begins = flags & 0x12 == 0x02  # SYN without ACK
            return _shown(target, port) if begins and _is_outside(target, inside) else ""
        if protocol == _UDP:
            _, port = struct.unpack_from("!HH", payload)
            if port == _DNS:
                name = _question(payload[8:])
                return f"{name} (name lookup)" if _is_foreign(name) else ""
            return f"{_shown(target, port)} (UDP)" if _is_outside(target, inside) else ""
    except (struct.error, IndexError, UnicodeDecodeError, ValueError):
        return ""
    return ""


def _ip(packet: bytes) -> tuple[int, Address, bytes]:
    if packet[0] >> 4 == 4:
        return packet[9], ipaddress.IPv4Address(packet[16:20]), packet[(packet[0] & 15) * 4 :]
    return packet[6], ipaddress.IPv6Address(packet[24:40]), packet[40:]


def _is_outside(target: Address, inside: Collection[Network]) -> bool:
    local = target.is_loopback or target.is_multicast or target.is_unspecified or target.is_link_local
    return not local and not any(target in network for network in inside)


def _is_foreign(name: str) -> bool:
    """Whether a name is none of a cluster's own; those without a dot are tried with the cluster's domains in turn."""
    return "." in name and not f".{name}.".endswith(_OWN_DOMAINS)


def _question(message: bytes) -> str:
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels)


def _shown(target: Address, port: int) -> str:
    return f"[{target}]:{port}" if target.version == 6 else f"{target}:{port}"
