"""The walk over rendered objects: what is certain, what is suspected, and what is neither."""

import pytest

from bundle.errors import FormatError
from bundle.formats.json_path import ImageField, JsonPath
from clients.charts.images import find_images

Row = tuple[str, str, str, str]


def rows(rendered: str, *fields: ImageField) -> list[Row]:
    found = find_images(rendered, fields=fields, subject="release 'x'")
    return [(each.text, each.object, each.field, each.evidence) for each in found]


@pytest.mark.parametrize(
    ("rendered", "found"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("---\n# only a comment\n---\n", [], id="empty documents"),
        pytest.param(
            "{kind: Pod, metadata: {name: p}, spec: {containers: [{image: 'a:1'}, {image: 'a:1'}]}}",
            [("a:1", "Pod/p", "spec.containers[0].image", ""), ("a:1", "Pod/p", "spec.containers[1].image", "")],
            id="each use",
        ),
        pytest.param(
            "{kind: PodList, items: [{kind: List, items: [{kind: Pod, spec: {containers: [{image: a}]}}]}]}",
            [("a", "Pod/", "spec.containers[0].image", "")],
            id="lists in lists",
        ),
        pytest.param(
            "{kind: Job, metadata: {generateName: j-}, spec: {template: {spec: {containers: [{image: a}]}}}}",
            [("a", "Job/j-", "spec.template.spec.containers[0].image", "")],
            id="generated name",
        ),
        pytest.param(
            "kind: Pod\nspec:\n  base: &base {image: 'a:1'}\n  containers: [{<<: *base, name: b}]\n",
            [("a:1", "Pod/", "spec.containers[0].image", "")],
            id="merge key",
        ),
        pytest.param("{kind: Pod, spec: {containers: [{name: a, image: null}, {name: b}]}}", [], id="no image"),
        pytest.param(
            "{kind: Pod, spec: {containers: [{image: ''}]}}", [("", "Pod/", "spec.containers[0].image", "")], id="empty"
        ),
        pytest.param("{kind: Pod, spec: {containers: {image: a}, volumes: {image: a}}}", [], id="no lists"),
        pytest.param("{kind: Pod, spec: {volumes: [{image: a}, {image: {reference: 'm:1'}}]}}",
            [("m:1", "Pod/", "spec.volumes[1].image.reference", "")], id="image volume"),
        pytest.param(
            "{kind: ConfigMap, metadata: {name: c}, data: {text: 'see the images: none', n: ~}}", [], id="harmless text"
        ),
        pytest.param(
            "{kind: XRD, apiVersion: a.b/v1, spec: {openAPIV3Schema: {containers: [{image: 'x.y/z:1'}]}}}",
            [],
            id="schema in a custom resource",
        ),
        pytest.param(
            "{kind: Secret, stringData: {a: 'quay.io/team/a:1'}}", [], id="secrets are not looked into"
        ),
        pytest.param(
            "{kind: W, apiVersion: a.b/v1, metadata: {name: w}, spec: {engineImage: 'q.io/e:1', size: '10'}}",
            [("q.io/e:1", "W/w", "spec.engineImage", "custom resource: field engineImage")],
            id="unknown custom resource",
        ),
        pytest.param(
            "{kind: Prometheus, apiVersion: monitoring.coreos.com/v1, spec: {image: 'q.io/p:1'}}",
            [("q.io/p:1", "Prometheus/", "spec.image", "")],
            id="known custom resource",
        ),
        pytest.param(
            "{kind: Prometheus, apiVersion: monitoring.coreos.com/v1, spec: {image: '', containers: [{image: ''}]}}",
            [],
            id="an empty image is the operator's own",
        ),
        pytest.param(
            "{kind: VM, apiVersion: operator.victoriametrics.com/v1, spec: {image: {repository: v/m, tag: 1.10}}}",
            [("v/m:1.10", "VM/", "spec.image", "")],
            id="in pieces",
        ),
    ],
)  # fmt: skip
def test_what_is_found(rendered: str, found: list[Row]) -> None:
    assert rows(rendered) == found


def test_a_field_of_the_spec_makes_certain() -> None:
    field = ImageField(group="a.b", kind="W", path=JsonPath.parse("$.spec.runs"))
    rendered = "{kind: W, apiVersion: a.b/v1, spec: {runs: {registry: q.io, repository: e, tag: '1'}, other: q.io/e:2}}"
    assert [(text, evidence) for text, _, _, evidence in rows(rendered, field)] == [
        ("q.io/e:1", ""),
        ("q.io/e:2", "custom resource: text"),
    ]


@pytest.mark.parametrize("rendered", ["a: [", "kind: Pod\n---\n\tx: 1", "a: !made b"])
def test_what_is_no_yaml_is_an_error(rendered: str) -> None:
    with pytest.raises(FormatError, match="release 'x': what it renders is no YAML"):
        rows(rendered)
