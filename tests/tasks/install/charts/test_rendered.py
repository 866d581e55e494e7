"""Which kinds an installation brings itself, in time or too late."""

from pathlib import Path

import pytest

from clients.preflight.needs import ApiKind
from clients.preflight.objects.rendered import RenderedObjects
from tasks.install.charts.rendered import RenderedRelease, brought_kinds
from tests.fixtures.made.installs import WITH_CHART, spec

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, names: {kind: Widget, plural: widgets}, scope: Namespaced, versions: [{name: v1}]}
---
"""
USE = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}\n---\n"
WIDGET = ApiKind(api_version="example.com/v1", kind="Widget")


@pytest.mark.parametrize(
    ("releases", "maker", "user", "in_time"),
    [
        pytest.param("{name: a, chart: web, namespace: n}", "a", "a", True, id="in one release"),
        pytest.param(
            "{name: a, chart: web, namespace: n}\n    - {name: b, chart: web, namespace: n, needs: [a]}",
            "a", "b", True, id="in a release before it",
        ),
        pytest.param(
            "{name: a, chart: web, namespace: n}\n    - {name: b, chart: web, namespace: n, after: [c]}\n"
            "    - {name: c, chart: web, namespace: n, needs: [a]}",
            "a", "b", True, id="in a release before the one before",
        ),
        pytest.param(
            "{name: a, chart: web, namespace: n}\n    - {name: b, chart: web, namespace: n}",
            "a", "b", False, id="in no order",
        ),
        pytest.param(
            "{name: a, chart: web, namespace: n, needs: [b]}\n    - {name: b, chart: web, namespace: n}",
            "a", "b", False, id="the wrong way round",
        ),
    ],
)  # fmt: skip
def test_kinds_that_the_installation_brings(
    tmp_path: Path, releases: str, maker: str, user: str, in_time: bool
) -> None:
    install = spec(tmp_path, f"{WITH_CHART}install:\n  releases:\n    - {releases}\n").install
    rendered = [
        RenderedRelease(
            release=each,
            text="",
            objects=RenderedObjects.read(
                (CRD if each.name == maker else "") + (USE if each.name == user else ""), namespace="n", subject="x"
            ),
        )
        for each in install.releases
    ]
    brought, late = brought_kinds(rendered, install)
    if in_time:
        assert brought == {WIDGET: {"name": "widgets", "namespaced": True}}
        assert late == {}
    else:
        assert brought == {}
        assert late == {WIDGET: "release 'a' brings it: set needs: [a] of release 'b'"}
