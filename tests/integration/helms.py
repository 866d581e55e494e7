"""The official helms, 3 and 4, against a cluster of the session."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.integration.clusters import Cluster, asset, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """One of the official helms; `bin` holds it as `helm`, with kubectl beside it, to be put on a PATH."""

    major: int
    bin: Path
    home: Path
    cluster: Cluster

    @classmethod
    def make(cls, major: int, root: Path, cluster: Cluster) -> Self:
        """helm 3 or helm 4 with nobody's settings, speaking to `cluster`."""
        place = root / "bin"
        place.mkdir()
        (place / "helm").symlink_to(asset(f"helm{major}"))
        (place / "kubectl").symlink_to(asset("kubectl"))
        return cls(major=major, bin=place, home=root, cluster=cluster)

    @property
    def env(self) -> Mapping[str, str]:
        """An environment in which plain `helm` and `kubectl` are these ones and reach the cluster."""
        own = {f"HELM_{name}_HOME": str(self.home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        return {**self.cluster.env, **own, "PATH": path}

    def run(self, *args: str) -> str:
        """Run helm and return its output; a CommandError carries what it said on failure."""
        return run([str(self.bin / "helm"), *args], env=self.env)
