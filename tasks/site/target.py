"""Which installation a run is about: an application in one cluster, with its images in one registry.

Its state is kept below a directory of its own, so that neither another application nor another cluster is taken for it.
"""

import base64
import binascii
import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bundle.formats import strict_json
from bundle.oci.digest import Digest
from schema.syntax.document import read
from schema.syntax.problems import Problems

_LABEL = 40  # characters of the readable part of a name
_IN_POD = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """A cluster as a kubeconfig names it: the API server's URL, and the digest of the CA that it must prove itself by.

    Two clusters that are reached by the same URL, as through tunnels, differ in the second.
    """

    server: str = ""
    authority: str = ""

    @classmethod
    def named(cls, env: Mapping[str, str], *, kubeconfig: Path | None = None, context: str = "") -> Self:
        """That of kubectl and helm in this environment, read without asking anybody; empty where none is named."""
        files = [kubeconfig] if kubeconfig else _kubeconfigs(env)
        read_ones = [(path, data) for path in files if (data := _read(path))]
        if not read_ones:
            return cls(server=_in_pod(env))
        wanted = context or next((name for _, data in read_ones if (name := _text(data.get("current-context")))), "")
        _, chosen = _entry(read_ones, "contexts", wanted, "context")
        path, cluster = _entry(read_ones, "clusters", _text(chosen.get("cluster")), "cluster")
        return cls(server=_text(cluster.get("server")), authority=_authority(cluster, path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an application is installed: a cluster (empty for a bundle that needs none) and a place for its images."""

    cluster: ClusterAddress
    registry: str

    @property
    def name(self) -> str:
        """The name of its directory: the host, for people, and a digest of all that makes it this one."""
        host = urlsplit(self.cluster.server).hostname or self.registry.partition("/")[0]
        label = re.sub(r"[^A-Za-z0-9.-]+", "-", host).strip("-.")[:_LABEL]
        whole = [self.cluster.server.rstrip("/"), self.cluster.authority, self.registry.rstrip("/")]
        short = Digest.of(strict_json.canonical({"target": whole})).hex[:8]
        return f"{label}-{short}" if label else short


def _kubeconfigs(env: Mapping[str, str]) -> list[Path]:
    """The files that KUBECONFIG names, the first of which to set a value counts; else the user's own."""
    if given := env.get("KUBECONFIG", ""):
        return [Path(each) for each in given.split(os.pathsep) if each]
    home = env.get("HOME", "")
    return [Path(home) / ".kube" / "config"] if home else []


def _read(path: Path) -> dict[str, Any]:
    """A kubeconfig; nothing for one that can't be read, which kubectl reports with its reason."""
    with contextlib.suppress(OSError):
        root = read(path, Problems(str(path)), may_be_empty=True)
        data = root.plain() if root else None
        return data if isinstance(data, dict) else {}
    return {}


def _entry(
    files: list[tuple[Path, dict[str, Any]]], kind: str, name: str, member: str
) -> tuple[Path, Mapping[str, Any]]:
    """The first entry of this name and the file that it is from."""
    for path, data in files:
        listed = data.get(kind)
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict) and each.get("name") == name and isinstance(each.get(member), dict):
                return path, each[member]
    return Path(), {}


def _authority(cluster: Mapping[str, Any], path: Path) -> str:
    """The digest of a cluster's CA, be it written in the kubeconfig or in a file beside it; empty for none."""
    with contextlib.suppress(OSError, binascii.Error, ValueError):
        if held := _text(cluster.get("certificate-authority-data")):
            return str(Digest.of(base64.b64decode(held)))
        if named := _text(cluster.get("certificate-authority")):
            return str(Digest.of((path.parent / named).read_bytes()))
    return ""


def _in_pod(env: Mapping[str, str]) -> str:
    host, port = (env.get(name, "") for name in _IN_POD)
    return f"https://{host}:{port}" if host else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
