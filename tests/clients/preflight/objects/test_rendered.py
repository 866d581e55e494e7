"""What a rendered chart consists of."""

import pytest

from bundle.errors import FormatError
from clients.preflight.needs import ApiKind
from clients.preflight.objects.rendered import RenderedObjects

RENDERED = """\
---
# Source: app/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      imagePullSecrets: [{name: pull}, {name: other}]
      containers: [{name: web, image: x}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tidy, namespace: elsewhere}
spec:
  jobTemplate: {spec: {template: {spec: {imagePullSecrets: [{name: pull}]}}}}
---
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Service, metadata: {name: web}}
"""


def test_kinds_and_pull_secrets_by_namespace() -> None:
    found = RenderedObjects.read(RENDERED, namespace="here", subject="release 'web'")
    assert found.kinds == {
        "here": {ApiKind(api_version="apps/v1", kind="Deployment"), ApiKind(api_version="v1", kind="Service")},
        "elsewhere": {ApiKind(api_version="batch/v1", kind="CronJob")},
    }
    assert found.pull_secrets == {"here": {"pull", "other"}, "elsewhere": {"pull"}}


def test_nothing_rendered() -> None:
    assert RenderedObjects.read("", namespace="here", subject="x").kinds == {}


def test_no_yaml() -> None:
    with pytest.raises(FormatError, match="release 'web': what it renders is no YAML"):
        RenderedObjects.read("a: [", namespace="here", subject="release 'web'")


def test_the_kinds_that_it_defines() -> None:
    text = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions: [{name: v1, served: true}, {name: v1beta1, served: false}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bad}
spec: {names: [], versions: 1}
"""
    found = RenderedObjects.read(text, namespace="here", subject="release 'web'")
    widget = ApiKind(api_version="example.com/v1", kind="Widget")
    assert found.defines == {widget: {"name": "widgets", "namespaced": True}}
