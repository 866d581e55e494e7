"""Charts against the cluster that is there: what plan and preflight find before the first change."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.registries import RunningRegistry

NEWER = """\
{{ if semverCompare ">=1.25-0" .Capabilities.KubeVersion.Version }}
apiVersion: batch/v1
kind: CronJob
metadata: {name: newer}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: "%s"}]}
{{ end }}
"""


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


def template(site: Site, text: str, name: str = "more.yaml", chart: str = "web") -> None:
    """Write one more template of the chart, which is pinned anew then."""
    (site.bench.place / "airgap.lock").unlink(missing_ok=True)
    path = site.bench.place / "charts" / chart / "templates" / name
    path.write_text(text)


def test_an_image_that_only_this_cluster_wants_is_shown_by_plan_and_stops_install(site: Site) -> None:
    """Rendered for 1.24 outside, the chart does without it; one that the bundle has is no lack."""
    wanted = f"{site.registry.host}/{site.namespace}/newer:2.0"
    template(site, NEWER % wanted)
    site.carry()
    told = (
        f"release 'web': image '{wanted}' (CronJob/newer, spec.jobTemplate.spec.template.spec.containers[0].image) "
        "is neither in the bundle nor in the registry; its chart uses it with the version and the APIs of this cluster"
    )
    planned = site.run("plan", "install")
    assert planned.code == 0, planned.err
    assert f"error: {told}" in planned.out
    assert "next: make the bundle with install.kubernetes.min_version" in planned.out
    (finding,) = json.loads(site.run("plan", "install", "--json").out)["findings"]
    assert (finding["severity"], finding["subject"]) == ("error", "release 'web'")
    refused = site.refused()
    assert told in refused.err
    assert refused.steps == ["verify"]
    assert site.is_untouched

    template(site, NEWER % f"{site.registry.host}/{site.namespace}/web:1.0")
    site.carry()
    assert json.loads(site.run("plan", "install", "--json").out)["findings"] == []


def bring_crd(site: Site, *fields: str, spec: str) -> str:
    """Give the chart a definition with these fields in crds/ and an object of it; the definition's name."""
    group = f"{site.namespace}.example.com"
    props = {"spec": {"type": "object", "properties": {name: {"type": "string"} for name in fields}}}
    version = {"name": "v1", "served": True, "storage": True}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "scope": "Namespaced",
            "versions": [{**version, "schema": {"openAPIV3Schema": {"type": "object", "properties": props}}}],
        },
    }
    sub = site.bench.place / "charts/web/charts/sub"
    (sub / "crds").mkdir(parents=True, exist_ok=True)
    (sub / "Chart.yaml").write_text("apiVersion: v2\nname: sub\nversion: 1.0.0\n")
    (sub / "crds/widgets.yaml").write_text(json.dumps(crd))
    template(site, f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w}}\nspec: {spec}\n", "widget.yaml")
    return f"widgets.{group}"


def test_crds_of_a_subchart_on_upgrade(site: Site) -> None:
    """Kept, with what is lost; upgraded, once that is asked for; refused, when a field is in use."""
    name = bring_crd(site, "a", spec="{a: one}")
    site.carry()
    site.install()
    bring_crd(site, "a", "mode", spec="{a: one, mode: fast}")
    site.carry()
    lost = (
        f"warning: release 'web': CRD {name} differs from the cluster's (the chart's adds spec.mode), and helm leaves "
        "that: Widget w loses spec.mode"
    )
    by_hand = "helm show crds charts/web-1.0.0.tgz | kubectl apply --server-side --force-conflicts --filename -"
    planned = site.run("plan", "install")
    assert lost in planned.out
    assert by_hand in planned.out
    kept = site.install()
    assert lost in kept.out
    assert site.get(name, "w")["spec"] == {"a": "one"}

    site.plan["crds"] = "upgrade"
    site.carry()
    planned = site.run("plan", "install")
    assert f"note: release 'web': CRD {name} is upgraded before the release (adds spec.mode)" in planned.out
    assert "mode" not in json.dumps(site.get("crd", name))
    upgraded = site.install()
    assert f"helm:web: CRD {name} is in now: adds spec.mode; took over fields from helm" in upgraded.out
    fields = site.get("crd", name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(fields["properties"]) == {"a", "mode"}
    assert site.install().steps == []

    other = {**site.get(name, "w"), "metadata": {"name": "other"}, "spec": {"mode": "slow"}}
    site.helm.cluster.kubectl("create", "-n", site.namespace, "-f", "-", stdin=json.dumps(other))
    bring_crd(site, "a", spec="{a: two}")
    site.carry()
    told = f"CRD {name} of the chart drops fields that objects in the cluster have: Widget {site.namespace}/other"
    assert told in site.run("plan", "install").out
    refused = site.refused()
    assert told in refused.err
    assert refused.steps == ["verify"]
    site.helm.cluster.kubectl("delete", name, "other", "-n", site.namespace)
    assert "drops spec.mode" in site.install().out
