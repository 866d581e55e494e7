"""The oldest Kubernetes that is supported: what an installation goes through, with both helms."""

import json
from pathlib import Path

import pytest

from schema.spec.install import MIN_KUBERNETES
from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry

PLACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: baseline}}
"""
FIXED = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: %s
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {hostNetwork: %s, containers: [{name: db, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]}
"""
helm_4 = pytest.mark.parametrize("site", [4], indirect=True, ids=["helm 4"])


@pytest.fixture(params=[3, 4], ids=["helm 3", "helm 4"])
def site(request: pytest.FixtureRequest, tmp_path: Path, registry: RunningRegistry, oldest: Cluster) -> Site:
    """A migration by a hook, and a web server."""
    try:
        helm = Helm.make(request.param, tmp_path, oldest)
    except PartError as err:
        pytest.skip(str(err))
    return make_site(tmp_path / "site", registry, helm, oldest.new_namespace(), charts=("hook", "web"))


def test_it_is_the_oldest_that_is_supported(oldest: Cluster) -> None:
    found = json.loads(oldest.kubectl("version", "--output", "json"))["serverVersion"]
    assert f"{found['major']}.{found['minor']}" == MIN_KUBERNETES


def test_from_the_installation_to_the_rollback(site: Site) -> None:
    """Installed, with nothing to do, planned, upgraded, rolled back."""
    site.carry()
    assert {"preflight", "helm:hook", "health:hook", "helm:web", "health:web", "receipt"} <= set(site.install().steps)
    assert site.install().steps == []
    assert (site.revision("hook"), site.revision("web")) == (1, 1)

    site.values(VALUES.replace("replicas: 1", "replicas: 2"))
    site.carry()
    planned = json.loads(site.run("plan", "install", "--json").out)
    assert planned["findings"] == []
    assert "helm:web" in {each["step"] for each in planned["steps"] if each["run"]}
    site.install()
    assert site.get("deployment", "web")["spec"]["replicas"] == 2
    assert site.revision("web") == 2

    back = site.run("rollback")
    assert back.code == 0, back.out + back.err
    assert site.get("deployment", "web")["spec"]["replicas"] == 1
    assert site.revision("web") == 3


@helm_4
def test_what_it_would_refuse_is_told_before_the_first_change(site: Site) -> None:
    kubectl = site.helm.cluster.kubectl
    kubectl("create", "-f", "-", stdin=PLACE % site.namespace)
    template = site.bench.place / "charts/web/templates/more.yaml"
    template.write_text(FIXED % ("a", "false"))
    site.carry()
    site.install()
    template.write_text(FIXED % ("b", "true"))
    (site.bench.place / "airgap.lock").unlink()
    site.carry()
    refused = site.refused()
    policy = f"its pods violate Pod Security of namespace '{site.namespace}'"
    assert "StatefulSet/db: spec.serviceName can't be changed: expected 'a' as in the cluster, found 'b'" in refused.err
    assert f"StatefulSet/db: {policy}: expected baseline" in refused.err
    assert site.revision("web") == 1


@helm_4
def test_a_bundle_for_a_newer_one_is_refused(site: Site) -> None:
    major, minor = MIN_KUBERNETES.split(".")
    newer = f"{major}.{int(minor) + 1}"
    site.plan["kubernetes"] = {"min_version": newer}
    site.carry()
    refused = site.refused()
    assert f"Kubernetes is too old: expected {newer} or later, found {MIN_KUBERNETES}." in refused.err
    assert refused.steps == ["verify"]
    assert site.is_untouched
