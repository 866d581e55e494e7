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
    """Write one more template of the chart."""
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
