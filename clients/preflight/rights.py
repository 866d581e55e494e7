"""The rights that an install takes: which they are, and which of them the account does not have."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bundle.errors import ClusterError
from clients.cluster.kubectl import JsonObject, Right
from clients.preflight.findings import Finding
from clients.preflight.needs import ApiKind, ClusterNeeds, ProbedCluster

HINT = "doit roles prints the roles to ask for, as YAML for kubectl apply -f -"
SUBJECT = "cluster"
_VERBS = ("create", "get", "patch", "delete")  # what helm asks for each object it brings up and takes away
# What every namespace needs: secrets (ours, and helm's own records), and what tells why pods don't start.
_SECRETS = tuple(Right(verb=verb, resource="secrets") for verb in (*_VERBS, "list", "update"))
_SIGHT = tuple(Right(verb="list", resource=name) for name in ("pods", "events"))


class Rights:
    """The rights that an install takes, asked for all at once."""

    def __init__(self, target: ProbedCluster) -> None:
        self._target = target
        self._groups: dict[str, Mapping[str, JsonObject]] = {}

    def findings(self, needs: ClusterNeeds) -> Iterator[Finding]:
        """What is lacking, told by resource and namespace; kinds that the cluster does not know."""
        for namespace, kind in self._unknown(needs):
            yield finding(
                f"it knows no {kind}, which a chart brings up in namespace {namespace!r}",
                hint=needs.late.get(kind)
                or "install the operator or CustomResourceDefinition it belongs to, or upgrade the cluster",
            )
        lacking: dict[tuple[str, str, str], list[str]] = {}
        for right in self._target.can_i(self.wanted(needs)):
            lacking.setdefault((right.namespace, right.group, right.resource), []).append(right.verb)
        for (namespace, group, name), verbs in lacking.items():
            yield _lacking(namespace, f"{name}.{group}" if group else name, verbs)

    def wanted(self, needs: ClusterNeeds) -> list[Right]:
        """All that the install does, of what the cluster knows."""
        wanted: list[Right] = []
        for namespace in _namespaces(needs):
            if self.exists(namespace) is False:
                wanted.append(Right(verb="create", resource="namespaces"))
            wanted += [replace(right, namespace=namespace) for right in (*_SECRETS, *_SIGHT)]
            for kind in sorted(needs.kinds.get(namespace, ())):
                if resource := self._resource(kind) or needs.brought.get(kind):
                    wanted += _all_of(resource, kind, namespace)
        return wanted

    def absent(self, needs: ClusterNeeds) -> list[str]:
        """The namespaces that are not there, or may not be looked at."""
        return [namespace for namespace in _namespaces(needs) if not self.exists(namespace)]

    def exists(self, namespace: str) -> bool | None:
        """Whether a namespace is there; None for one that may not be looked at: mostly, somebody else made it."""
        try:
            self._target.raw(f"/api/v1/namespaces/{namespace}")
        except ClusterError as err:
            if err.reason == "forbidden":
                return None
            if err.reason == "not found":
                return False
            raise
        return True

    def _unknown(self, needs: ClusterNeeds) -> Iterator[tuple[str, ApiKind]]:
        for namespace in _namespaces(needs):
            for kind in sorted(needs.kinds.get(namespace, ())):
                if not self._resource(kind) and kind not in needs.brought:
                    yield namespace, kind

    def lacking_apis(self, needs: ClusterNeeds) -> Iterator[Finding]:
        """The APIs that the spec says the cluster has, and that neither it nor the installation has."""
        for text in needs.api_versions:
            group, version, *kind = text.split("/")
            api = f"{group}/{version}"
            brought = any(each.api_version == api and [each.kind][: len(kind)] == kind for each in needs.brought)
            there = self._resource(ApiKind(api_version=api, kind=kind[0])) if kind else self._groups_of(api)
            if not brought and not there:
                yield finding(
                    f"it has no API {text}, which install.kubernetes.api_versions names",
                    hint="install the operator that brings it, or make the bundle without it",
                )

    def _groups_of(self, api_version: str) -> Mapping[str, JsonObject]:
        self._resource(ApiKind(api_version=api_version, kind=""))
        return self._groups[api_version]

    def _resource(self, kind: ApiKind) -> JsonObject | None:
        """The API's resource for a kind (APIResource); None when the cluster has none."""
        if kind.api_version not in self._groups:
            try:
                resources = self._target.raw(kind.path).get("resources", [])
            except ClusterError as err:
                if err.reason != "not found":
                    raise
                resources = []
            main = (each for each in resources if "/" not in each["name"])  # others are parts, as pods/log
            self._groups[kind.api_version] = {each["kind"]: each for each in main}
        return self._groups[kind.api_version].get(kind.kind)


def _all_of(resource: Mapping[str, Any], kind: ApiKind, namespace: str) -> Iterator[Right]:
    group = kind.api_version.rpartition("/")[0]
    place = namespace if resource.get("namespaced", True) else ""
    return (Right(verb=verb, resource=resource["name"], group=group, namespace=place) for verb in _VERBS)


def _namespaces(needs: ClusterNeeds) -> list[str]:
    return sorted({*needs.namespaces, *needs.kinds})


def _lacking(namespace: str, resource: str, verbs: Collection[str]) -> Finding:
    where = f"in namespace {namespace!r}" if namespace else "in the whole cluster"
    names = ", ".join(verbs)
    if set(verbs) == {"list"} and resource in {right.resource for right in _SIGHT}:
        what = f"the account may not list {resource} {where}, so failures can't be explained"
        return warning(what, hint=HINT)
    return finding(f"the account may not {names} {resource} {where}", hint=HINT)


def finding(what: str, *, expected: str = "", observed: str = "", hint: str = "") -> Finding:
    """An error about the cluster."""
    return Finding(subject=SUBJECT, what=what, expected=expected, observed=observed, hint=hint)


def warning(what: str, *, expected: str = "", observed: str = "", hint: str = "") -> Finding:
    """A warning about the cluster."""
    return replace(finding(what, expected=expected, observed=observed, hint=hint), severity="warning")
