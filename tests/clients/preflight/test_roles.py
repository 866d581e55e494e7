"""Roles as objects that kubectl apply takes: each right that is asked for, and to whom it is given."""

from typing import Any

import yaml

from clients.cluster.kubectl import Right
from clients.preflight.roles import as_yaml, role_objects, subject

RBAC = "rbac.authorization.k8s.io"
RIGHTS = [
    Right(verb="create", resource="namespaces"),
    Right(verb="create", resource="deployments", group="apps", namespace="app"),
    Right(verb="get", resource="deployments", group="apps", namespace="app"),
    Right(verb="create", resource="roles", group=RBAC, namespace="app"),
    Right(verb="list", resource="events", namespace="app"),
    Right(verb="create", resource="clusterroles", group=RBAC),
]


def verbs(role: dict[str, Any], resource: str) -> list[str]:
    return [verb for rule in role["rules"] if resource in rule["resources"] for verb in rule["verbs"]]


def test_a_role_for_each_namespace_and_one_for_the_cluster() -> None:
    space, cluster, role = role_objects(RIGHTS, name="shop-install", subjects=[], absent=["app"])
    assert space == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "app"}}
    assert (cluster["kind"], role["kind"]) == ("ClusterRole", "Role")
    assert cluster["metadata"] == {"name": "shop-install"}
    assert role["metadata"] == {"name": "shop-install", "namespace": "app"}
    assert verbs(role, "deployments") == ["create", "get", "list", "update", "watch"]
    assert {"bind", "escalate"} < set(verbs(role, "roles")) & set(verbs(cluster, "clusterroles"))
    assert verbs(role, "pods/log") == ["get"]
    assert verbs(cluster, "nodes") == ["list"]
    assert verbs(cluster, "namespaces") == ["get"], "it is made by whoever applies this"


def test_they_are_documents_of_yaml() -> None:
    objects = role_objects(RIGHTS, name="x", subjects=[subject("Group", "a: b")], absent=["app"])
    text = as_yaml(objects)
    assert text.startswith("---\napiVersion: v1\n")
    assert list(yaml.safe_load_all(text)) == objects
    assert "&id" not in text, "kubectl takes no anchors over documents"


def test_bindings_for_an_account() -> None:
    subjects = [subject("User", "ann"), subject("ServiceAccount", "ci/deploy")]
    found = {each["kind"]: each for each in role_objects(RIGHTS, name="x", subjects=subjects, absent=[])}
    assert list(found) == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert found["RoleBinding"]["roleRef"] == {"apiGroup": RBAC, "kind": "Role", "name": "x"}
    assert found["RoleBinding"]["metadata"] == {"name": "x", "namespace": "app"}
    assert found["ClusterRoleBinding"]["subjects"] == [
        {"kind": "User", "name": "ann", "apiGroup": RBAC},
        {"kind": "ServiceAccount", "name": "deploy", "namespace": "ci"},
    ]
