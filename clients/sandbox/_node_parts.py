"""What a node whose pods really run needs of this machine, and why there can't be one."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from clients.sandbox._node_cgroups import missing_for_cgroups
from clients.sandbox.network import has_only_loopback

PROGRAMS = ("containerd", "containerd-shim-runc-v2", "coredns", "ctr", "kube-proxy", "kubelet", "pause")
_SYSTEM = ("runc", "nft", "conntrack", "mount", "nsenter", "unshare")
_PLUGINS = Path("/usr/lib/cni"), Path("/opt/cni/bin")  # Debian's place, and the project's own
_NEEDED_PLUGINS = ("host-local", "loopback", "portmap", "ptp")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SEARCH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH, with where the programs of an administrator are, which a user's PATH leaves out."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SEARCH])


def plugins() -> Path | None:
    """Where the plugins for the network of pods are."""
    return next((place for place in _PLUGINS if all((place / name).exists() for name in _NEEDED_PLUGINS)), None)


def missing_for_node(assets: Path, architecture: str) -> str:
    """Why no pods of this architecture can run here, in a few words; empty when they can."""
    return next(_reasons(assets / "node", architecture), "")


def _reasons(programs: Path, architecture: str) -> Iterator[str]:
    own = _ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    if not sys.platform.startswith("linux"):
        yield f"{sys.platform} runs no containers"
    if architecture != own:
        yield f"the images are for {architecture}, this machine is {own}"
    if lacking := [name for name in PROGRAMS if not os.access(programs / name, os.X_OK)]:
        yield f"{programs} is missing {', '.join(lacking)}; tools/build makes them"
    if os.geteuid() != 0:
        yield "only root can run containers here"
    if absent := [name for name in _SYSTEM if not shutil.which(name, path=search_path())]:
        yield f"{', '.join(absent)} is not installed"
    if plugins() is None:
        yield f"the CNI plugins {', '.join(_NEEDED_PLUGINS)} are not in {' or '.join(map(str, _PLUGINS))}"
    if not has_only_loopback():
        yield "the network here is not one of the node's own"
    yield from filter(None, [missing_for_cgroups()])
