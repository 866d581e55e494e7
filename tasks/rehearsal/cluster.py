"""The cluster that a rehearsal installs into: one that was named, a throwaway one, or none."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.metadata.manifest import BundleManifest
from clients.cluster.kubectl import Kubectl
from clients.sandbox.cluster import simulated_cluster, throwaway_cluster, why_simulated
from tasks.rehearsal.environment import architecture
from tasks.rehearsal.result import Scene

NEEDS_A_SITE = (
    "the programs in the images really run in this rehearsal, without any network\n"
    "  next: when they need what only the site has, such as a database, rehearse with pods=simulated, or name a "
    "cluster that has it: kubeconfig=FILE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCluster:
    """`simulated` says why its nodes run nothing; `kubectl` is there for a throwaway one, the only one asked here."""

    name: str
    kubeconfig: Path | None = None
    kubectl: Kubectl | None = None
    simulated: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.simulated}" if self.simulated else self.name

    @property
    def pods_run(self) -> bool:
        """Whether it is a throwaway one whose pods run."""
        return self.kubectl is not None and not self.simulated

    def ran(self, namespaces: Iterable[str]) -> tuple[str, ...]:
        """The containers that were started there, as POD/CONTAINER; none where nodes are simulated, or not ours."""
        if self.kubectl is None or self.simulated:
            return ()
        pods = [pod for namespace in sorted(namespaces) for pod in self.kubectl.list("pod", namespace=namespace)]
        return tuple(dict.fromkeys(f"{_owner(pod)}/{name}" for pod in pods for name in _started(pod)))


NO_CLUSTER = TargetCluster(name="no cluster")


@contextmanager
def target_cluster(scene: Scene, manifest: BundleManifest, *, wanted: bool) -> Iterator[TargetCluster]:
    """The named one; else, when one is `wanted` and its programs are here, a throwaway one until the body ends."""
    if scene.kubeconfig:
        yield TargetCluster(name=f"the cluster of {scene.kubeconfig}", kubeconfig=scene.kubeconfig)
    elif scene.assets and wanted:
        start = throwaway_cluster if scene.real_pods else simulated_cluster
        with start(scene.assets, scene.place / "cluster", architecture=architecture(manifest)) as kubeconfig:
            kubectl = Kubectl(scene.assets / "kubectl", kubeconfig=kubeconfig)
            why = why_simulated(kubectl)
            name = "Kubernetes with simulated nodes" if why else "Kubernetes whose pods run"
            yield TargetCluster(name=name, kubeconfig=kubeconfig, kubectl=kubectl, simulated=why)
    else:
        yield NO_CLUSTER


def _started(pod: dict[str, Any]) -> Iterator[str]:
    status = pod.get("status", {})
    for each in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        states = (each.get("state", {}), each.get("lastState", {}))
        if any("startedAt" in (state.get(kind) or {}) for state in states for kind in ("running", "terminated")):
            yield str(each["name"])


def _owner(pod: dict[str, Any]) -> str:
    """What a pod belongs to, which names it better than its own name with a random end."""
    return str(pod["metadata"].get("generateName", pod["metadata"]["name"]).rstrip("-"))
