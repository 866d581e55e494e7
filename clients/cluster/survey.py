"""Looks at all that tells how releases are: their revisions, objects, events, logs, and the pull secrets of pods."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bundle.errors import AirgapError
from bundle.formats import strict_json
from clients.cluster.pods.containers import pull_secrets, statuses
from clients.cluster.pods.trouble import Event
from clients.cluster.pods.workloads import KINDS, NamespaceState
from clients.cluster.release import Release

LOG_LINES = 200
_ADDRESSED = "ingresses.networking.k8s.io,services"
_T = TypeVar("_T")


class SurveyedCluster(Protocol):
    """What is looked at in a cluster; Kubectl is one."""

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """One object."""

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        """All objects of some kinds."""

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        """What happened, oldest first."""

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        """The last lines that a container wrote."""

    def secret_keys(self, namespace: str) -> tuple[str, ...]:
        """The Secrets without their values."""


class Releases(Protocol):
    """What is asked of helm; Helm is one."""

    def history(self, release: str, *, namespace: str) -> tuple[Release, ...]:
        """The revisions, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSurvey:
    """What was found in one namespace. `gaps` tells what could not be looked at.

    `logs` are by POD/CONTAINER; `pull_hosts` are the registries that each pull secret opens, None for one that is
    not there or not readable. Secrets' values are not in it, but objects and logs may hold what should not be shown.
    """

    namespace: str
    histories: Mapping[str, Sequence[Release]]
    snapshot: NamespaceState
    events: Sequence[Event]
    addressed: Sequence[Mapping[str, Any]]
    secrets: Sequence[str]
    pull_hosts: Mapping[str, Sequence[str] | None]
    logs: Mapping[str, str]
    gaps: Sequence[str]


def survey(
    releases: Iterable[tuple[str, str]], *, helm: Releases, cluster: SurveyedCluster
) -> tuple[NamespaceSurvey, ...]:
    """Look at the namespaces of these releases (name, namespace); what fails is a gap and never an error."""
    by_namespace: dict[str, list[str]] = {}
    for name, namespace in releases:
        by_namespace.setdefault(namespace, []).append(name)
    return tuple(_Look(namespace, helm, cluster).scene(names) for namespace, names in by_namespace.items())


class _Look:
    """One namespace being looked at."""

    def __init__(self, namespace: str, helm: Releases, cluster: SurveyedCluster) -> None:
        self._namespace = namespace
        self._helm = helm
        self._cluster = cluster
        self._gaps: list[str] = []

    def scene(self, releases: Sequence[str]) -> NamespaceSurvey:
        namespace, cluster = self._namespace, self._cluster
        nothing: list[dict[str, Any]] = []
        objects = self._try(lambda: cluster.list(KINDS, namespace=namespace), nothing)
        events = self._try(lambda: cluster.events(namespace), tuple[Event, ...]())
        pods = [each for each in objects if each["kind"] == "Pod"]
        return NamespaceSurvey(
            namespace=namespace,
            histories={name: self._history(name) for name in releases},
            snapshot=NamespaceState.of(objects, events),
            events=events,
            addressed=self._try(lambda: cluster.list(_ADDRESSED, namespace=namespace), nothing),
            secrets=self._try(lambda: cluster.secret_keys(namespace), tuple[str, ...]()),
            pull_hosts={
                name: self._pull_hosts(name) for name in sorted({n for pod in pods for n in pull_secrets(pod)})
            },
            logs={f"{pod}/{container}": log for pod, container, log in self._logs(pods)},
            gaps=tuple(self._gaps),
        )

    def _history(self, name: str) -> Sequence[Release]:
        return self._try(lambda: self._helm.history(name, namespace=self._namespace), tuple[Release, ...]())

    def _logs(self, pods: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
        for pod in pods:
            name = pod["metadata"]["name"]
            for status in statuses(pod):
                for previous in (True, False) if status.get("restartCount") else (False,):
                    container = status["name"]
                    text = self._log(name, container, previous=previous)
                    if text.strip():
                        yield name, f"{container}-before" if previous else container, text

    def _log(self, pod: str, container: str, *, previous: bool) -> str:
        return self._try(
            lambda: self._cluster.logs(pod, container, namespace=self._namespace, lines=LOG_LINES, previous=previous),
            "",
        )

    def _pull_hosts(self, name: str) -> Sequence[str] | None:
        """The hosts in a pull secret; what else it holds is forgotten here."""
        found = self._try(lambda: self._cluster.get("secret", name, namespace=self._namespace), None)
        try:
            config = strict_json.loads(base64.b64decode((found or {})["data"][".dockerconfigjson"]))
            return tuple(sorted(str(host) for host in config["auths"]))
        except (KeyError, TypeError, ValueError):
            return None

    def _try(self, ask: Callable[[], _T], instead: _T) -> _T:
        try:
            return ask()
        except AirgapError as err:
            self._gaps.append(err.what)
            return instead
