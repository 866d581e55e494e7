"""What a packet on the loopback tells about attempts to reach outside."""

import struct
from ipaddress import IPv4Network, ip_address

import pytest

from clients.sandbox.egress import attempt

SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10


def ip(target: str, protocol: int, payload: bytes) -> bytes:
    """An IP packet without options from nowhere to `target`."""
    address = ip_address(target)
    if address.version == 6:
        return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, bytes(16), address.packed) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, bytes(4), address.packed)
    return header + payload


def tcp(target: str, port: int, flags: int = SYN) -> bytes:
    return ip(target, 6, struct.pack("!HHIIBBHHH", 40000, port, 0, 0, 5 << 4, flags, 0, 0, 0))


def dns(name: str, server: str = "10.0.0.53") -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    return ip(server, 17, struct.pack("!HHHH", 40000, 53, 8 + len(question), 0) + question)


@pytest.mark.parametrize(
    ("packet", "found"),
    [
        pytest.param(tcp("192.0.2.7", 443), "192.0.2.7:443", id="connection"),
        pytest.param(tcp("2001:db8::7", 443), "[2001:db8::7]:443", id="connection by IPv6"),
        pytest.param(dns("quay.io"), "quay.io (name lookup)", id="name"),
        pytest.param(dns("quay.io", "127.0.0.53"), "quay.io (name lookup)", id="name from a resolver of the machine"),
        pytest.param(ip("192.0.2.7", 17, struct.pack("!HHHH", 1, 123, 8, 0)), "192.0.2.7:123 (UDP)", id="UDP"),
        pytest.param(tcp("127.0.0.1", 443), "", id="loopback"),
        pytest.param(tcp("::1", 443), "", id="loopback by IPv6"),
        pytest.param(tcp("10.96.0.1", 443), "", id="a network of the target's own"),
        pytest.param(tcp("192.0.2.7", 40000, SYN_ACK), "", id="an answer"),
        pytest.param(tcp("192.0.2.7", 443, ACK), "", id="within a connection"),
        pytest.param(tcp("192.0.2.7", 443)[:30], "", id="cut off"),
        pytest.param(dns("quay.io")[:45], "", id="a question that is cut off"),
        pytest.param(b"\x45", "", id="one byte"),
    ],
)
def test_attempts(packet: bytes, found: str) -> None:
    assert attempt(packet, [IPv4Network("10.96.0.0/16")]) == found


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "web.shop.svc.cluster.local",
        "quay.io.shop.svc.cluster.local",
        "web.shop.svc",
        "1.128.18.198.in-addr.arpa",
    ],
)
def test_names_of_the_cluster_are_none_of_the_worlds(name: str) -> None:
    assert attempt(dns(name)) == ""
