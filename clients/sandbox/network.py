"""A Linux network namespace that holds only loopback, for this process and all that it starts."""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C  # linux/sockios.h
_IFF_UP, _IFF_RUNNING = 0x1, 0x40  # linux/if.h
_RTM_NEWROUTE = 24  # linux/rtnetlink.h, as all below
_REQUEST = 0x1 | 0x4 | 0x200 | 0x400  # NLM_F_REQUEST, ACK, EXCL, CREATE
_TABLE_MAIN, _PROTO_BOOT, _SCOPE_HOST, _TYPE_LOCAL, _ATTR_OIF = 254, 3, 254, 2, 4


def isolate() -> str:
    """Leave every network but a loopback of our own; empty when done, else why that is not possible here.

    Only before this process starts a thread. Afterwards all is as `only_loopback` says. The process still ends with its
    parent: taking a namespace undoes a tie made before.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    uid, gid, parent = os.geteuid(), os.getegid(), os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
                reason = os.strerror(ctypes.get_errno())
                return f"this machine gives no network namespace to its users: {reason}"
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        only_loopback()
    except OSError as err:
        return f"the network namespace can't be made ready: {err.strerror or err}"
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
    return ""


def only_loopback() -> None:
    """Let each address of the world lead to the loopback of this namespace, where nobody listens.

    A connection to it is refused at once, and can be seen there (clients/sandbox/egress.py). Only addresses that have a
    route of their own, such as those of pods, lead elsewhere. An OSError where the namespace is not ours to change.
    """
    _bring_up("lo")
    for family in (socket.AF_INET, socket.AF_INET6):
        _everything_to("lo", family)


def has_only_loopback() -> bool:
    """Whether this is a namespace without any network, as `isolate` makes it."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def add_address(address: str) -> None:
    """Give the loopback one more IPv4 address, under the name of an alias."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
            request = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, command, request)


def _bring_up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", name.encode(), _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)


def _everything_to(name: str, family: socket.AddressFamily) -> None:
    """`ip route add local default dev NAME table main` (rtnetlink(7)); none for a family that the kernel lacks."""
    route = struct.pack("=8BI", family, 0, 0, 0, _TABLE_MAIN, _PROTO_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0)
    route += struct.pack("=HHI", 8, _ATTR_OIF, socket.if_nametoindex(name))
    header = struct.pack("=IHHII", 16 + len(route), _RTM_NEWROUTE, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as control:
        control.bind((0, 0))
        control.send(header + route)
        (answer,) = struct.unpack_from("=i", control.recv(4096), 16)
    if answer and family == socket.AF_INET:
        raise OSError(-answer, os.strerror(-answer))
