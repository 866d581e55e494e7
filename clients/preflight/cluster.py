"""Whether a Kubernetes cluster can take what will be installed: version, nodes, rights, classes, pull secrets."""

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from bundle.errors import ClusterError
from bundle.formats import strict_json
from bundle.formats.versions import Version
from bundle.oci.platform import Platform
from clients.cluster.kubectl import JsonObject
from clients.preflight.findings import Finding, Findings, finding_of
from clients.preflight.needs import ClusterNeeds, ProbedCluster
from clients.preflight.rights import HINT, SUBJECT, Rights, finding, warning


def cluster(target: ProbedCluster, needs: ClusterNeeds) -> Findings:
    """The cluster is reached and has what `needs` says. What can't be seen for lack of a right is a warning."""
    try:
        server = target.version().server
    except ClusterError as err:
        return (replace(finding_of(err, "the cluster"), subject=SUBJECT),)
    rights = Rights(target)
    parts = [
        _version(server, needs.min_version),
        _nodes(target, needs.platforms),
        _class(target, "ingress class", "ingressclasses.networking.k8s.io", needs.ingress_class),
        _class(target, "storage class", "storageclasses.storage.k8s.io", needs.storage_class),
        rights.lacking_apis(needs),
        rights.findings(needs),
        *(_pull_secret(target, namespace, name, needs.image_host) for namespace, name in _pairs(needs.pull_secrets)),
    ]
    return tuple(_seen(parts))


def _seen(parts: Iterable[Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of all parts; what may not be looked at is one warning, for the install may do without."""
    unseen: list[str] = []
    for part in parts:
        try:
            yield from part
        except ClusterError as err:
            if err.reason == "forbidden":
                unseen.append(err.what)
            else:
                yield finding_of(err, SUBJECT)
    if unseen:
        yield warning(f"not checked: {'; '.join(dict.fromkeys(unseen))}", hint=HINT)


def _version(server: Version, minimum: str) -> Iterator[Finding]:
    if server < Version.parse(minimum):
        hint = "upgrade the cluster, or point KUBECONFIG to another"
        yield finding("Kubernetes is too old", expected=f"{minimum} or later", observed=str(server), hint=hint)


def _nodes(target: ProbedCluster, platforms: Mapping[str, Collection[Platform]]) -> Iterator[Finding]:
    """Images by the nodes that could run them; variants are left out, because nodes don't tell theirs."""
    ready = [node for node in target.list("nodes") if _is_ready(node)]
    if not ready:
        yield finding("no node is ready", hint="kubectl get nodes")
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
            yield finding(f"no node can run {named}", expected=expected, observed=names, hint=hint)
        elif have - wanted:
            hint = "see to it by a nodeSelector for kubernetes.io/arch, or make the bundle with platform: all"
            what = f"some nodes can't run {named}"
            yield warning(what, expected=expected, observed=names, hint=hint)


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
        yield finding(f"{what} {name!r} does not exist", expected=name, observed=observed, hint=hint)


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
        yield finding(f"{secret} does not exist", hint=f"create it, or let install.secrets make {name!r}")
        return
    hosts = _login_hosts(data)
    if host not in hosts:
        observed = ", ".join(sorted(hosts)) or "no logins"
        yield finding(
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
