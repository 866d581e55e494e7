"""Whether a Kubernetes cluster can take what will be installed: version, nodes, rights, classes, pull secrets."""

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from bundle.errors import ClusterError
from bundle.formats import strict_json
from bundle.formats.versions import Version
from bundle.oci.platform import Platform
from clients.cluster.kubectl import JsonObject, Right, Versions
from clients.preflight.findings import Finding, Findings, finding_of

_SUBJECT = "cluster"
_VERBS = ("create", "get", "patch", "delete")  # what helm asks for each object it brings up and takes away
# What every namespace needs: secrets (ours, and helm's own records), and what tells why pods don't start.
_SECRETS = tuple(Right(verb=verb, resource="secrets") for verb in (*_VERBS, "list", "update"))
_SIGHT = tuple(Right(verb="list", resource=name) for name in ("pods", "events"))


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


def cluster(target: ProbedCluster, needs: ClusterNeeds) -> Findings:
    """The cluster is reached and has what `needs` says. What can't be seen for lack of a right is a warning."""
    try:
        server = target.version().server
    except ClusterError as err:
        return (replace(finding_of(err, "the cluster"), subject=_SUBJECT),)
    rights = _Rights(target)
    parts = [
        _version(server, needs.min_version),
        _nodes(target, needs.platforms),
        _class(target, "ingress class", "ingressclasses.networking.k8s.io", needs.ingress_class),
        _class(target, "storage class", "storageclasses.storage.k8s.io", needs.storage_class),
        rights.lacking_apis(needs),
        rights.findings(needs),
        *(_pull_secret(target, namespace, name, needs.image_host) for namespace, name in _pairs(needs.pull_secrets)),
    ]
    return tuple(finding for part in parts for finding in _seen(part))


def _seen(part: Iterator[Finding]) -> Iterator[Finding]:
    """A part's findings; that it may not look is only a warning, for the install may do without."""
    try:
        yield from part
    except ClusterError as err:
        if err.reason == "forbidden":
            yield _warning(f"not checked: {err.what}", hint=err.hint)
        else:
            yield finding_of(err, _SUBJECT)


def _version(server: Version, minimum: str) -> Iterator[Finding]:
    if server < Version.parse(minimum):
        hint = "upgrade the cluster, or point KUBECONFIG to another"
        yield _finding("Kubernetes is too old", expected=f"{minimum} or later", observed=str(server), hint=hint)


def _nodes(target: ProbedCluster, platforms: Mapping[str, Collection[Platform]]) -> Iterator[Finding]:
    """Images by the nodes that could run them; variants are left out, because nodes don't tell theirs."""
    ready = [node for node in target.list("nodes") if _is_ready(node)]
    if not ready:
        yield _finding("no node is ready", hint="kubectl get nodes")
        return
    have = {_node_platform(node) for node in ready}
    names = ", ".join(sorted("/".join(each) for each in have))
    images: dict[frozenset[tuple[str, str]], list[str]] = {}
    for image, each in platforms.items():
        images.setdefault(frozenset((one.os, one.architecture) for one in each), []).append(image)
    for wanted, owners in sorted(images.items(), key=lambda item: item[1]):
        named = f"{'image' if len(owners) == 1 else 'images'} {', '.join(sorted(owners))}"
        expected = " or ".join(sorted("/".join(each) for each in wanted))
        if not have & wanted:
            hint = "make the bundle for the nodes' platform: bundle.platform"
            yield _finding(f"no node can run {named}", expected=expected, observed=names, hint=hint)
        elif have - wanted:
            hint = "see to it by a nodeSelector for kubernetes.io/arch, or make the bundle with platform: all"
            what = f"some nodes can't run {named}"
            yield _warning(what, expected=expected, observed=names, hint=hint)


def _is_ready(node: JsonObject) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _node_platform(node: JsonObject) -> tuple[str, str]:
    info = node["status"]["nodeInfo"]
    return info["operatingSystem"], info["architecture"]


def _class(target: ProbedCluster, what: str, kind: str, name: str) -> Iterator[Finding]:
    if not name:
        return
    names = sorted(each["metadata"]["name"] for each in target.list(kind))
    if name not in names:
        observed = ", ".join(names) or "none"
        hint = f"install it, or set the {what} that the cluster has"
        yield _finding(f"{what} {name!r} does not exist", expected=name, observed=observed, hint=hint)


class _Rights:
    """The rights that an install takes, asked for all at once."""

    def __init__(self, target: ProbedCluster) -> None:
        self._target = target
        self._groups: dict[str, Mapping[str, JsonObject]] = {}

    def findings(self, needs: ClusterNeeds) -> Iterator[Finding]:
        """What is lacking, told by resource and namespace; kinds that the cluster does not know."""
        wanted: list[Right] = []
        for namespace in sorted({*needs.namespaces, *needs.kinds}):
            if not self._exists(namespace):
                wanted.append(Right(verb="create", resource="namespaces"))
            wanted += [_within(right, namespace) for right in (*_SECRETS, *_SIGHT)]
            for kind in sorted(needs.kinds.get(namespace, ())):
                resource = self._resource(kind) or needs.brought.get(kind)
                if resource is None:
                    yield _finding(
                        f"it knows no {kind}, which a chart brings up in namespace {namespace!r}",
                        hint=needs.late.get(kind)
                        or "install the operator or CustomResourceDefinition it belongs to, or upgrade the cluster",
                    )
                else:
                    wanted += _all_of(resource, kind, namespace)
        lacking: dict[tuple[str, str, str], list[str]] = {}
        for right in self._target.can_i(wanted):
            lacking.setdefault((right.namespace, right.group, right.resource), []).append(right.verb)
        for (namespace, group, name), verbs in lacking.items():
            yield _lacking(namespace, f"{name}.{group}" if group else name, verbs)

    def _exists(self, namespace: str) -> bool:
        """Whether a namespace is there; one that may not be looked at was made by somebody else."""
        try:
            self._target.raw(f"/api/v1/namespaces/{namespace}")
        except ClusterError as err:
            if err.reason == "forbidden":
                return True
            if err.reason == "not found":
                return False
            raise
        return True

    def lacking_apis(self, needs: ClusterNeeds) -> Iterator[Finding]:
        """The APIs that the spec says the cluster has, and that neither it nor the installation has."""
        for text in needs.api_versions:
            group, version, *kind = text.split("/")
            api = f"{group}/{version}"
            brought = any(each.api_version == api and [each.kind][: len(kind)] == kind for each in needs.brought)
            there = self._resource(ApiKind(api_version=api, kind=kind[0])) if kind else self._groups_of(api)
            if not brought and not there:
                yield _finding(
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


def _within(right: Right, namespace: str) -> Right:
    return Right(verb=right.verb, resource=right.resource, group=right.group, namespace=namespace)


def _lacking(namespace: str, resource: str, verbs: Collection[str]) -> Finding:
    where = f"in namespace {namespace!r}" if namespace else "in the whole cluster"
    names = ", ".join(verbs)
    if set(verbs) == {"list"} and resource in {right.resource for right in _SIGHT}:
        what = f"the account may not list {resource} {where}, so failures can't be explained"
        return _warning(what, hint=f"ask for the right to list {resource}")
    hint = f"ask for a {'Role' if namespace else 'ClusterRole'} that allows {names} on {resource}"
    return _finding(f"the account may not {names} {resource} {where}", hint=hint)


def _pairs(names: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    return ((namespace, name) for namespace in sorted(names) for name in sorted(names[namespace]))


def _pull_secret(target: ProbedCluster, namespace: str, name: str, host: str) -> Iterator[Finding]:
    """A pull secret is there and has a login for the images' host; of its content only the hosts are looked at."""
    secret = f"pull secret {namespace}/{name}"
    try:
        data = target.raw(f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data", {})
    except ClusterError as err:
        if err.reason != "not found":
            raise
        yield _finding(f"{secret} does not exist", hint=f"create it, or let install.secrets make {name!r}")
        return
    hosts = _login_hosts(data)
    if host not in hosts:
        observed = ", ".join(sorted(hosts)) or "no logins"
        yield _finding(
            f"{secret} has no login for the images' registry", expected=host, observed=observed,
            hint=f"make it with --docker-server={host}, or let install.secrets make it",
        )  # fmt: skip


def _login_hosts(data: Mapping[str, str]) -> set[str]:
    """The hosts in a secret of type kubernetes.io/dockerconfigjson; none in what is not readable as one."""
    try:
        auths = strict_json.loads(base64.b64decode(data[".dockerconfigjson"]))["auths"]
        return {(key.partition("://")[2] or key).partition("/")[0] for key in auths}
    except (ValueError, KeyError, TypeError):
        return set()


def _finding(what: str, *, expected: str = "", observed: str = "", hint: str = "") -> Finding:
    return Finding(subject=_SUBJECT, what=what, expected=expected, observed=observed, hint=hint)


def _warning(what: str, *, expected: str = "", observed: str = "", hint: str = "") -> Finding:
    return replace(_finding(what, expected=expected, observed=observed, hint=hint), severity="warning")
