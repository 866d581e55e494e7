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
    """Kept, with what is lost (helm 4 fails); upgraded, once that is asked for; refused, when a field is in use."""
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
    if site.helm.major == 3:
        assert lost in site.install().out
    else:
        unknown = "Widget/w: spec.mode: field not declared in schema, and helm 4 refuses it"
        assert unknown in planned.out
        assert unknown in site.refused().err
        assert site.revision("web") == 1
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


FIXED = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: {service}
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
          imagePullPolicy: {pull}
---
apiVersion: v1
kind: Service
metadata: {{name: fixed}}
spec: {{clusterIP: {ip}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: side}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec: {{containers: [{{name: c, image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"}}]}}
"""


def test_fields_that_an_upgrade_can_not_change_are_told_before_it_all_at_once(site: Site) -> None:
    octet = 10 + int(site.namespace.rpartition("-")[2]) % 200
    one, two = f"10.96.77.{octet}", f"10.96.78.{octet}"
    template(site, FIXED.format(service="a", pull="Always", ip=one, app="side", replicas=1))
    site.carry()
    site.install()
    template(site, FIXED.format(service="b", pull="Never", ip=two, app="other", replicas=2))
    site.carry()
    pull, label = "spec.template.spec.containers[0].imagePullPolicy", "spec.selector.matchLabels.app"
    lines = (
        "StatefulSet/db: spec.serviceName can't be changed: expected 'a' as in the cluster, found 'b'",
        f"kubectl delete statefulset db --namespace {site.namespace} --cascade=orphan",
        f"Job/migrate: {pull} can't be changed: expected 'Always' as in the cluster, found 'Never'",
        f"kubectl delete job migrate --namespace {site.namespace}",
        f"Service/fixed: spec.clusterIP can't be changed: expected '{one}' as in the cluster, found '{two}'",
        f"Deployment/side: {label} can't be changed: expected 'side' as in the cluster, found 'other'",
    )
    planned = site.run("plan", "install")
    refused = site.refused()
    for line in lines:
        assert line in planned.out
        assert line in refused.err
    assert refused.steps == ["verify"]
    assert "spec.replicas" not in planned.out
    assert site.revision("web") == 1

    for kind, name in (("statefulset", "db"), ("job", "migrate"), ("service", "fixed"), ("deployment", "side")):
        site.helm.cluster.kubectl("delete", kind, name, "-n", site.namespace)
    site.install()
    assert site.revision("web") == 2


LIMITS = """\
{{apiVersion: v1, kind: Namespace, metadata: {{name: {0}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}}}
---
{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: few, namespace: {0}}}, spec: {{hard: {{services: 1}}}}}}
---
apiVersion: v1
kind: LimitRange
metadata: {{name: small, namespace: {0}}}
spec: {{limits: [{{type: Container, max: {{memory: 1Gi}}}}]}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: taken, namespace: {0}}}}}
"""
REFUSED = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: taken}}
---
{apiVersion: v1, kind: Service, metadata: {name: second}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: wrong}, spec: {ports: [{port: 80000}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: large}
spec:
  serviceName: large
  selector: {matchLabels: {app: large}}
  template:
    metadata: {labels: {app: large}}
    spec:
      serviceAccountName: comes-with-the-release
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: c
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {limits: {memory: 2Gi}}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def test_what_a_namespace_does_not_allow_is_told_before_the_first_install(site: Site) -> None:
    """Quotas, limits, Pod Security, objects of others, and objects that are wrong."""
    kubectl = site.helm.cluster.kubectl
    kubectl("create", "-f", "-", stdin=LIMITS.format(site.namespace))
    kubectl("create", "service", "clusterip", "there", "--tcp=80", "-n", site.namespace)
    kubectl("wait", "--for=jsonpath={.status.used.services}=1", "resourcequota/few", "-n", site.namespace)
    template(site, REFUSED)
    site.carry()
    found = json.loads(site.run("plan", "install", "--json").out)["findings"]
    told = [f"{each['what']}: expected {each['expected']}, found {each['observed']}" for each in found]
    of, most = f"of namespace '{site.namespace}'", "expected at most services=1, of which services=1 is used"
    for line in (
        f"Deployment/web: its pods violate Pod Security {of}: expected restricted",
        f"StatefulSet/large: its pods are outside the LimitRange {of}: maximum memory usage",
        f"Service/second: it exceeds quota 'few' {of}: {most}",
        "Service/wrong: spec.ports[0].port: Invalid value: 80000",
        "ConfigMap/taken is in the cluster already",
    ):
        assert any(each.startswith(line) for each in told), (line, told)
    assert {each["severity"] for each in found} == {"error"}
    refused = site.refused()
    assert refused.steps == ["verify"]
    assert all(each["what"] in refused.err for each in found)


def test_a_namespace_that_is_not_there_yet_and_a_kind_that_comes_with_the_release(site: Site) -> None:
    """What is wrong with an object is told all the same; the others are not judged in a place that is not theirs."""
    name = bring_crd(site, "a", spec="{a: one}")
    ports = "[{port: 80000, targetPort: 80}]"
    template(site, f"{{apiVersion: v1, kind: Service, metadata: {{name: wrong}}, spec: {{ports: {ports}}}}}\n")
    site.carry()
    refused = site.refused()
    assert "Service/wrong: spec.ports[0].port: Invalid value: 80000" in refused.err
    assert "the site is not ready, 1 found" in refused.err
    group = name.partition(".")[2]
    assert f"note: release 'web': not judged before their CRDs are in: objects of Widget ({group}/v1)" in refused.out
    assert site.is_untouched
