"""What an installation needs of a cluster, and what is asked of the cluster to see whether it has that."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bundle.oci.platform import Platform
from clients.cluster.kubectl import JsonObject, Right, Versions


class ProbedCluster(Protocol):
    """What is asked of a cluster; clients.kubectl.Kubectl is one."""

    def version(self) -> Versions:
        """Of kubectl and the cluster."""

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[JsonObject]:
        """All objects of a kind."""

    def raw(self, path: str) -> JsonObject:
        """GET an API path."""

    def can_i(self, rights: Iterable[Right]) -> tuple[Right, ...]:
        """The rights of these that are lacking."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ApiKind:
    """A kind of object as manifests name it: `apps/v1`, `Deployment`."""

    api_version: str
    kind: str

    @property
    def path(self) -> str:
        """Where the API lists the group's resources."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNeeds:
    """What the cluster must have for an install; names that are empty are not asked for.

    `kinds` are what the charts render, by namespace; `brought` are those that the installation itself defines before
    they are used, with their resources, `late` those that it defines too late, with what to do. `api_versions` are the
    ones that the spec names. `platforms` are those that each image (by name) exists for; `pull_secrets` those that are
    used but not made by the install, by namespace, for images on `image_host`.
    """

    min_version: str
    namespaces: Collection[str] = ()
    kinds: Mapping[str, Collection[ApiKind]] = field(default_factory=dict)
    brought: Mapping[ApiKind, Mapping[str, Any]] = field(default_factory=dict)
    late: Mapping[ApiKind, str] = field(default_factory=dict)
    api_versions: Collection[str] = ()
    platforms: Mapping[str, Collection[Platform]] = field(default_factory=dict)
    ingress_class: str = ""
    storage_class: str = ""
    pull_secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    image_host: str = ""
