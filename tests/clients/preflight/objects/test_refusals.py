"""What the API server says in a dry run, in words for people."""

from typing import Any

import pytest

from clients.preflight.findings import Finding
from clients.preflight.objects.dry_run import Answers, Refusal
from clients.preflight.objects.refusals import Owner, refused

OWNER = Owner(name="app", namespace="n", installed=True)


def thing(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def told(refusal: Refusal) -> list[Finding]:
    return list(refused(Answers(refusals=(refusal,)), OWNER, "n"))


STATEFUL = (
    'The StatefulSet "x" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
    "'replicas', 'ordinals', 'template', 'updateStrategy' and 'minReadySeconds' are forbidden"
)
SELECTOR = (
    'The Deployment "x" is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"a":'
    '"b"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable'
)
SERVICE = """The Service "x" is invalid:
* spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set
* spec.ports[0].port: Invalid value: 80000: must be between 1 and 65535, inclusive
"""


def test_fields_of_a_stateful_set_without_those_that_may_change() -> None:
    new = thing("StatefulSet", serviceName="b", replicas=3, podManagementPolicy="Parallel")
    old = thing("StatefulSet", serviceName="a", replicas=1, podManagementPolicy="OrderedReady", template={"x": 1})
    policy, service = sorted(told(Refusal(thing=new, live=old, text=STATEFUL)), key=lambda each: each.what)
    assert service.what == "StatefulSet/x: spec.serviceName can't be changed"
    assert (service.expected, service.observed) == ("'a' as in the cluster", "'b'")
    assert service.hint.endswith("kubectl delete statefulset x --namespace n --cascade=orphan")
    assert policy.what == "StatefulSet/x: spec.podManagementPolicy can't be changed"


def test_a_selector_without_the_dump_of_go_values() -> None:
    new, old = (thing("Deployment", selector={"matchLabels": {"app": name}}) for name in "ba")
    (found,) = told(Refusal(thing=new, live=old, text=SELECTOR))
    assert found.what == "Deployment/x: spec.selector.matchLabels.app can't be changed"
    assert "which stops its pods" in found.hint
    (unseen,) = told(Refusal(thing=old, live=old, text=SELECTOR))
    assert unseen.what == "Deployment/x: spec.selector can't be changed: field is immutable"


def test_several_causes_of_one_object() -> None:
    new, old = (thing("Service", clusterIP=f"10.0.0.{n}", ports=[{"port": 80000}]) for n in (2, 1))
    address, port = told(Refusal(thing=new, live=old, text=SERVICE))
    assert (address.what, address.observed) == ("Service/x: spec.clusterIP can't be changed", "'10.0.0.2'")
    assert port.what.startswith("Service/x: spec.ports[0].port: Invalid value: 80000: must be between")


def test_values_that_may_be_secret_are_not_shown() -> None:
    new, old = (
        thing("Job", template={"spec": {"containers": [{"env": [{"name": "P", "value": word}]}]}}) for word in "ba"
    )
    text = 'The Job "x" is invalid: spec.template: Invalid value: core.PodTemplateSpec{...}: field is immutable'
    (found,) = told(Refusal(thing=new, live=old, text=text))
    assert found.what == "Job/x: spec.template.spec.containers[0].env[0].value can't be changed"
    assert (found.expected, found.observed) == ("what the cluster has", "something else")


def test_many_fields_are_counted() -> None:
    new, old = (thing("StatefulSet", **{f"f{n}": word for n in range(6)}) for word in "ba")
    found = told(Refusal(thing=new, live=old, text=STATEFUL))
    assert len(found) == 5
    assert found[-1].what == "StatefulSet/x: 2 more fields can't be changed"


POD = 'Error from server (Forbidden): error when creating "STDIN": pods "x" is forbidden: '


@pytest.mark.parametrize(
    ("text", "live", "severity", "what", "expected", "observed"),
    [
        pytest.param(
            f"{POD}exceeded quota: q, requested: limits.cpu=2,pods=1, used: limits.cpu=1,pods=3, limited: limits.cpu=2,"
            "pods=3",
            False, "error", "Deployment/x: it exceeds quota 'q' of namespace 'n'",
            "at most limits.cpu=2,pods=3, of which limits.cpu=1,pods=3 is used", "limits.cpu=2,pods=1", id="quota",
        ),
        pytest.param(
            f"{POD}exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3",
            True, "warning", "Deployment/x: one more pod exceeds quota 'q' of namespace 'n'",
            "at most pods=3, of which pods=3 is used", "pods=1", id="quota on upgrade",
        ),
        pytest.param(
            f"{POD}failed quota: q: must specify limits.cpu for: web", False, "error",
            "Deployment/x: quota 'q' of namespace 'n': must specify limits.cpu for: web", "", "", id="no limits",
        ),
        pytest.param(
            f'{POD}violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "web" must set it)',
            False, "error", "Deployment/x: its pods violate Pod Security of namespace 'n'", "restricted:latest",
            'runAsNonRoot != true (pod or container "web" must set it)', id="Pod Security",
        ),
        pytest.param(
            f"{POD}[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but x]",
            False, "error",
            "Deployment/x: its pods are outside the LimitRange of namespace 'n': maximum cpu usage per Container is 1, "
            "but limit is 2, maximum memory usage per Pod is 1Gi, but x", "", "", id="LimitRange",
        ),
        pytest.param(
            'Error from server (BadRequest): admission webhook "w.example" does not support dry run', False, "note",
            "not judged: what admission webhook w.example says, which supports no dry run (Deployment/x)", "", "",
            id="no dry run",
        ),
        pytest.param(
            'Internal error occurred: failed calling webhook "w.example": no endpoints', False, "warning",
            "not judged: Deployment/x: admission webhook w.example does not answer: "
            'Internal error occurred: failed calling webhook "w.example": no endpoints', "", "", id="webhook away",
        ),
        pytest.param(
            f'{POD}User "u" cannot create resource "pods" in API group "" in the namespace "n"', False, "note",
            "not judged: quotas, limits and Pod Security in namespace 'n': the account may not create pods", "", "",
            id="no right",
        ),
        pytest.param(
            "failed to create typed patch object (n/x; a.b/v1, Kind=X): .spec.mode: field not declared in schema",
            True, "error", "Deployment/x: spec.mode: field not declared in schema, and helm 4 refuses it", "", "",
            id="no such field",
        ),
        pytest.param(
            'admission webhook "w.example" denied the request: no label team', False, "error",
            'Deployment/x is refused: admission webhook "w.example" denied the request: no label team', "", "",
            id="denied",
        ),
    ],
)  # fmt: skip
def test_what_a_namespace_says_to_a_pod(
    text: str, live: bool, severity: str, what: str, expected: str, observed: str
) -> None:
    made = thing("Deployment")
    (found,) = told(Refusal(thing=made, text=text, live=made if live else None, pod=True))
    assert (found.severity, found.what, found.expected, found.observed) == (severity, what, expected, observed)
    assert found.subject == "release 'app'"


@pytest.mark.parametrize(
    "text",
    [
        'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "X"',
        'The Ingress "x" is invalid: spec.rules[0].host: Invalid value: "url.output.invalid:80": must be a name',
    ],
    ids=["another check tells it", "a stand-in"],
)
def test_what_is_no_finding(text: str) -> None:
    assert told(Refusal(thing=thing("Ingress"), text=text)) == []


def live(name: str, **notes: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n", "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": notes}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def test_objects_of_others_where_a_release_is_new() -> None:
    mine = {"meta.helm.sh/release-name": "app", "meta.helm.sh/release-namespace": "n"}
    there = {
        ("", "ConfigMap", "mine"): live("mine", **mine),
        ("", "ConfigMap", "free"): {"kind": "ConfigMap", "metadata": {"name": "free", "namespace": "n"}},
        ("", "ConfigMap", "other"): live("other", **{**mine, "meta.helm.sh/release-name": "b"}),
    }
    answers = Answers(refusals=(), live=there)
    free, other = refused(answers, Owner(name="app", namespace="n", installed=False), "n")
    assert free.what.startswith("ConfigMap/free is in the cluster already")
    assert (free.observed, other.observed) == ("no release", "release n/b")
    assert "kubectl annotate configmap free --namespace n --overwrite meta.helm.sh/release-name=app" in free.hint
    assert list(refused(answers, OWNER, "n")) == []
