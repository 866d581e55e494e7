"""The roles that give an account what an install takes, as objects to apply."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from clients.cluster.kubectl import Right
from clients.cluster.pods.workloads import KINDS

_GROUP = "rbac.authorization.k8s.io"
_VERSION = f"{_GROUP}/v1"
_WAITING = ("list", "update", "watch")  # helm's, while it waits for what it has made
_OWN_ROLES = ("bind", "escalate")  # to make roles of others without having all their rights
_LOOKED_AT = tuple(
    Right(verb="list", resource=name, group=group)
    for name, group in (
        ("nodes", ""),
        ("ingressclasses", "networking.k8s.io"),
        ("storageclasses", "storage.k8s.io"),
    )
)

Object = dict[str, Any]


def role_objects(
    rights: Iterable[Right], *, name: str, subjects: Sequence[Object], absent: Sequence[str]
) -> list[Object]:
    """Namespaces that are to be made first, a Role for each namespace and one ClusterRole, each bound to `subjects`.

    The ClusterRole also allows to look at nodes, classes and namespaces. Where a namespace is among these objects,
    the right to make it is left out.
    """
    by_place: dict[str, set[Right]] = {"": {*_LOOKED_AT, Right(verb="get", resource="namespaces")}}
    for right in rights:
        if right.resource != "namespaces":
            by_place.setdefault(right.namespace, set()).update(_with_more(right))
    for namespace in filter(None, by_place):
        by_place[namespace].update(_sights(namespace))
    made: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in absent]
    for namespace, wanted in sorted(by_place.items()):
        kind = "Role" if namespace else "ClusterRole"
        metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
        made.append({"apiVersion": _VERSION, "kind": kind, "metadata": metadata, "rules": _rules(wanted)})
        if subjects:
            made.append(
                {
                    "apiVersion": _VERSION,
                    "kind": f"{kind}Binding",
                    "metadata": metadata,
                    "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": name},
                    "subjects": list(subjects),
                }
            )
    return made


def as_yaml(objects: Iterable[Object]) -> str:
    """The objects as documents for kubectl apply -f -."""
    return yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True).rstrip()


def subject(kind: str, named: str) -> Object:
    """Who gets the roles: a User, a Group, or a ServiceAccount that is named NAMESPACE/NAME."""
    if kind == "ServiceAccount":
        namespace, _, name = named.partition("/")
        return {"kind": kind, "name": name, "namespace": namespace}
    return {"kind": kind, "name": named, "apiGroup": _GROUP}


def _with_more(right: Right) -> Iterator[Right]:
    yield right
    if right.verb != "create":
        return
    own = _OWN_ROLES if right.group == _GROUP and right.resource in ("roles", "clusterroles") else ()
    for verb in (*_WAITING, *own):
        yield Right(verb=verb, resource=right.resource, group=right.group, namespace=right.namespace)


def _sights(namespace: str) -> Iterator[Right]:
    """What is looked at to say why something does not come up."""
    for kind in KINDS.split(","):
        resource, _, group = kind.partition(".")
        yield Right(verb="list", resource=resource, group=group, namespace=namespace)
    yield Right(verb="get", resource="pods/log", namespace=namespace)


def _rules(rights: Iterable[Right]) -> list[Object]:
    """One rule for the resources of a group that have the same verbs."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource), set()).add(right.verb)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), found in sorted(verbs.items()):
        alike.setdefault((group, tuple(sorted(found))), []).append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(found)}
        for (group, found), resources in sorted(alike.items())
    ]
