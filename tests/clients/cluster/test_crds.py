"""Definitions of crds/: found in what helm renders, compared, and objects judged by them."""

import json
from typing import Any

import pytest

from bundle.errors import ClusterError
from clients.cluster.crds import Crd, apply_crd, crds_of, differences, dropped_fields, live_crds, same, split_crds
from clients.cluster.manifests import manifests
from tests.fixtures.made.crds import TEXT, Answers, crd, kubectl

CONFLICT = """error: Apply failed with 2 conflicts: conflict with "%s" using apiextensions.k8s.io/v1: .spec.versions
conflicts with "helm" using apiextensions.k8s.io/v1:
- .spec.scope
Please review the fields above--they currently have other managers.
"""


def test_only_those_of_crds_are_found_also_in_files_of_several_and_in_subcharts() -> None:
    one, two, three, four = (
        json.dumps({**crd({}).data, "metadata": {"name": f"{name}.example.com"}}) for name in ("a", "b", "c", "d")
    )
    text = (
        f"---\n# Source: op/crds/a.yaml\n---\n{one}\n---\n{two}\n"
        f"---\n# Source: op/charts/sub/crds/c.yaml\n{three}\n---\n# Source: op/templates/d.yaml\n{four}\n"
        "---\n# Source: op/crds/x.yaml\napiVersion: v1\nkind: ConfigMap\n"
    )
    files, templates = split_crds(text)
    found = crds_of([*manifests(files, subject="x"), crd({}).data, crd({}).data])
    assert [each.name.partition(".")[0] for each in found] == ["a", "b", "c", "widgets"]
    assert [each["metadata"]["name"] for each in manifests(templates, subject="x")] == ["d.example.com"]


def test_what_the_api_server_fills_in_is_no_difference() -> None:
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    live = crd({"a": TEXT}, names=names, conversion={"strategy": "None"})
    assert same(crd({"a": {**TEXT, "nullable": False}}), live)
    texts = crd({"a": {**TEXT, "description": "new words"}})
    assert not same(texts, live)
    assert differences(texts, live) == ()
    assert not same(crd({"a": {**TEXT, "default": ""}}), live)
    assert not same(crd({"a": TEXT, "description": TEXT}), live)  # a field of that name


@pytest.mark.parametrize(
    ("new", "old", "told", "drops"),
    [
        pytest.param(crd({"a": TEXT, "b": TEXT}), crd({"a": TEXT}), ("adds spec.b",), False, id="a field more"),
        pytest.param(crd({"a": TEXT}), crd({"a": TEXT, "b": TEXT}), ("drops spec.b",), True, id="a field less"),
        pytest.param(
            crd({"a": {"properties": {"c": TEXT}}}),
            crd({"a": {"properties": {"d": {"properties": {"e": TEXT}}}}}),
            ("adds spec.a.c", "drops spec.a.d"), True, id="below, and only the topmost",
        ),
        pytest.param(
            crd({"a": {"items": {"properties": {}}}}), crd({"a": {"items": {"properties": {"x": TEXT}}}}),
            ("drops spec.a.x",), True, id="in a list",
        ),
        pytest.param(
            crd({"a": {"x-kubernetes-preserve-unknown-fields": True}}), crd({"a": {"properties": {"x": TEXT}}}),
            ("changes what it accepts",), False, id="whatever it is",
        ),
        pytest.param(crd({}, "v2", "v1"), crd({}, "v1"), ("adds version v2",), False, id="a version more"),
        pytest.param(crd({}, "v2"), crd({}, "v1"), ("adds version v2", "drops version v1"), True, id="another version"),
        pytest.param(
            crd({"a": {**TEXT, "enum": ["x"]}}), crd({"a": TEXT}), ("changes what it accepts",), False, id="values",
        ),
        pytest.param(
            crd({f"f{n}": TEXT for n in range(9)}), crd({}),
            ("adds spec.f0, spec.f1, spec.f2, spec.f3, spec.f4, spec.f5 and 3 more",), False, id="many",
        ),
    ],
)  # fmt: skip
def test_differences_in_words(new: Crd, old: Crd, told: tuple[str, ...], drops: bool) -> None:
    assert differences(new, old) == told
    assert dropped_fields(new, old) is drops


@pytest.mark.parametrize(
    ("schema", "spec", "lost"),
    [
        pytest.param({"a": TEXT}, {"a": "x", "b": 1, "c": None}, ("spec.b",), id="an unknown field"),
        pytest.param({"a": {"items": {"properties": {}}}}, {"a": [{"x": 1}]}, ("spec.a[0].x",), id="in a list"),
        pytest.param({"a": {"additionalProperties": TEXT}}, {"a": {"x": "1"}}, (), id="a map"),
        pytest.param(
            {"a": {"additionalProperties": {"properties": {}}}}, {"a": {"x": {"y": 1}}}, ("spec.a.x.y",), id="objects"
        ),
        pytest.param(
            {"a": {"x-kubernetes-preserve-unknown-fields": True, "properties": {"b": {"properties": {}}}}},
            {"a": {"x": 1, "b": {"c": 1}}}, ("spec.a.b.c",), id="what is kept, but not below",
        ),
        pytest.param(
            {"a": {"x-kubernetes-embedded-resource": True}},
            {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}}, ("spec.a.spec",),
            id="an object in it",
        ),
    ],
)  # fmt: skip
def test_fields_that_the_api_server_would_drop(schema: Any, spec: Any, lost: tuple[str, ...]) -> None:
    thing = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}
    assert crd(schema).unknown_fields(thing, "v1") == lost
    assert crd(schema, preserveUnknownFields=True).unknown_fields(thing, "v1") == ()


def test_the_clusters_definitions_by_name() -> None:
    one = crd({})
    assert live_crds(kubectl(Answers((0, json.dumps(one.data), ""))), ["widgets.example.com"]) == {one.name: one}
    many = Answers((0, json.dumps({"kind": "List", "items": [one.data]}), ""))
    assert set(live_crds(kubectl(many), ["widgets.example.com", "b.example.com"])) == {one.name}
    assert live_crds(kubectl(Answers((0, "", ""))), ["b.example.com"]) == {}
    assert live_crds(kubectl(Answers()), []) == {}
    words = 'User "u" cannot get resource "customresourcedefinitions" in API group "apiextensions.k8s.io"'
    with pytest.raises(ClusterError, match="may not get customresourcedefinitions"):
        live_crds(kubectl(Answers((1, "", words))), ["b.example.com"])


def test_what_helm_and_kubectl_have_set_is_taken_over_and_waited_for() -> None:
    answers = Answers((1, "", CONFLICT % "kubectl-client-side-apply"), (0, "", ""), (0, "", ""))
    assert apply_crd(kubectl(answers), crd({}), dry_run=False) == ("kubectl-client-side-apply", "helm")
    assert "--force-conflicts" not in answers.asked[0]
    assert "--force-conflicts" in answers.asked[1]
    assert answers.asked[2][0] == "wait"


def test_what_others_manage_is_not_taken() -> None:
    answers = Answers((1, "", CONFLICT % "argocd-controller"))
    with pytest.raises(ClusterError, match="'argocd-controller' manages fields that the chart changes") as caught:
        apply_crd(kubectl(answers), crd({}), dry_run=True)
    assert caught.value.reason == "conflict"
    assert "--show-managed-fields" in caught.value.hint
    assert len(answers.asked) == 1


def test_a_dry_run_waits_for_nothing_and_tells_what_is_refused() -> None:
    answers = Answers((0, "", ""))
    assert apply_crd(kubectl(answers), crd({}), dry_run=True) == ()
    assert "--dry-run=server" in answers.asked[0]
    refusal = 'The CustomResourceDefinition "widgets.example.com" is invalid: spec.scope: field is immutable'
    with pytest.raises(ClusterError, match=r"CRD widgets\.example\.com: .* is invalid: spec\.scope"):
        apply_crd(kubectl(Answers((1, "", refusal))), crd({}), dry_run=True)
