"""The cluster of one installation: its programs, its releases and secrets, each asked for once and after a change."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from bundle.errors import ClusterError
from bundle.secret import KnownSecrets, Secret
from schema.site.actions import ActionRecord, record_name
from schema.site.secrets import read_object
from schema.spec.install import ActionSpec, ReleaseSpec
from tasks.site.carried import CarriedBundle

if TYPE_CHECKING:
    from clients.cluster.helm import Helm
    from clients.cluster.kubectl import Kubectl
    from clients.cluster.pods.steadiness import Steadiness
    from clients.cluster.pods.workloads import NamespaceState
    from clients.cluster.release import Release


class Reached(TypedDict):
    """How a cluster is reached, as helm and kubectl take it."""

    kubeconfig: Path | None
    context: str


class Programs:
    """The tools of one bundle, copied out of it when one is first needed; `env` is the installing environment."""

    def __init__(self, carried: CarriedBundle, env: Mapping[str, str]) -> None:
        self._carried = carried
        self._env = env

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The environment of a spec's own programs: ours, with the bundle's tools first on PATH."""
        path = os.pathsep.join(filter(None, [str(self._carried.tools), self._env.get("PATH", os.defpath)]))
        return {**self._env, "PATH": path}

    def find(self, name: str) -> Path:
        """The program of this name; a MissingToolError says where was looked."""
        from clients.programs.process import find_program  # a run that only verifies starts no program

        return find_program(name, directories=[self._carried.tools], path=self._env.get("PATH"))


class Cluster:
    """What the steps of `install` know of the cluster. Used by several threads at once."""

    def __init__(
        self,
        programs: Programs,
        known: KnownSecrets,
        releases: Sequence[ReleaseSpec],
        *,
        kubeconfig: Path | None = None,
        context: str = "",
    ) -> None:
        """What is read of secrets becomes `known`; `releases` are those of the spec.

        Without `kubeconfig` and `context` it is the cluster that the environment names.
        """
        self.programs = programs
        self._reached: Reached = {"kubeconfig": kubeconfig, "context": context}
        self._known = known
        self._namespaces = {each.name: each.namespace for each in releases}
        self._guard = threading.RLock()
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._releases: dict[str, Release] | None = None
        self._steadiness: dict[str, Steadiness] = {}
        self._seen: dict[str, NamespaceState | None] = {}
        self._secrets: dict[tuple[str, str], Mapping[str, Secret] | None] = {}

    @cached_property
    def kubectl(self) -> "Kubectl":
        """The cluster, by kubectl."""
        from clients.cluster.kubectl import Kubectl

        return Kubectl(self.programs.find("kubectl"), **self._reached)

    @cached_property
    def helm(self) -> "Helm":
        """The cluster, by helm."""
        from clients.cluster.helm import Helm

        return Helm(self.programs.find("helm"), secrets=self._known, **self._reached)

    def release(self, spec: ReleaseSpec) -> "Release | None":
        """The release as the cluster has it; all of them are asked for at once."""
        with self._guard:
            if self._releases is None:
                found = self.helm.list(list(self._namespaces.values()))
                self._releases = {f"{each.namespace}/{each.name}": each for each in found}
            return self._releases.get(f"{spec.namespace}/{spec.name}")

    @contextmanager
    def alone(self, namespace: str) -> Iterator[None]:
        """One release of a namespace at a time: an unlabelled hook tells nobody which release it belongs to."""
        with self._guard:
            turn = self._turns[namespace]
        with turn:
            yield

    def steadiness(self, spec: ReleaseSpec) -> "Steadiness":
        """How long the pods of a release have been seen to be ready in this run."""
        from clients.cluster.pods.steadiness import Steadiness

        with self._guard:
            return self._steadiness.setdefault(f"{spec.namespace}/{spec.name}", Steadiness())

    def ailing(self, spec: ReleaseSpec) -> Sequence[str]:
        """What is not well with a release's workloads and pods at one look, one line for each.

        What may not be looked at is taken to be well; each namespace is looked at once.
        """
        from clients.cluster.pods.steadiness import glance
        from clients.programs.process import masked

        with self._guard:
            if spec.namespace not in self._seen:
                self._seen[spec.namespace] = self._look(spec.namespace)
            seen = self._seen[spec.namespace]
        found = glance(seen, spec.name, datetime.now(UTC)) if seen else ()
        return tuple(masked(line, self._known) for line in found)

    def _look(self, namespace: str) -> "NamespaceState | None":
        from clients.cluster.pods.workloads import KINDS, NamespaceState

        try:
            return NamespaceState.of(self.kubectl.list(KINDS, namespace=namespace), ())
        except ClusterError as err:
            if err.reason != "forbidden":
                raise
            return None

    def changed_releases(self) -> None:
        """Ask for the releases again when they are needed next."""
        with self._guard:
            self._releases = None

    def secret(self, name: str, namespace: str) -> Mapping[str, Secret] | None:
        """What a secret holds; None when there is none."""
        with self._guard:
            key = (namespace, name)
            if key not in self._secrets:
                found = self.kubectl.get("secret", name, namespace=namespace)
                self._secrets[key] = read_object(found, self._known) if found else None
            return self._secrets[key]

    def changed_secret(self, name: str, namespace: str) -> None:
        """Ask for a secret again when it is needed next."""
        with self._guard:
            self._secrets.pop((namespace, name), None)

    def record(self, action: ActionSpec) -> ActionRecord | None:
        """What the cluster remembers of an action."""
        contents = self.secret(record_name(action.name), self.record_namespace(action))
        return ActionRecord.from_contents(action.name, contents) if contents else None

    def record_namespace(self, action: ActionSpec) -> str:
        """Where an action's record is kept: in the namespace of the first release it comes after, else the first's."""
        after = [self._namespaces[name] for name in action.after if name in self._namespaces]
        return next(iter([*after, *self._namespaces.values()]), "default")
