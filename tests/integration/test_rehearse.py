"""`doit rehearse` with the real parts: the CNCF registry, helm, and a throwaway Kubernetes of its own."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.workbench import Ran, Workbench, write_layout
from tests.fixtures.images.busybox import busybox_image
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.clusters import Cluster, asset
from tests.fixtures.parts.nodes import node_assets
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.places import CHARTS

VALUES = """\
image:
  repository: ${image.web.repository}
  tag: ${image.web.tag}
replicas: 1
"""


@pytest.fixture
def assets() -> Path:
    try:
        found = Path(asset("kube-apiserver")).parent
        program("docker-registry", "registry")
    except PartError as err:
        pytest.skip(str(err))
    return found


@pytest.fixture
def bench(tmp_path: Path, assets: Path) -> Workbench:
    """A project with one release, whose bundle is made without helm at hand: nothing is proven when it is made."""
    place = tmp_path / "project"
    write_layout(place / "images/web", image(layer("base", 30_000), layer("web", 20_000)), "example.com/web:1.0")
    shutil.copytree(CHARTS / "web", place / "charts/web")
    bench = Workbench(place=place)
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.internal/team"},
            "images": [{"name": "web", "source": "oci:images/web", "target": "web:1.0"}],
            "charts": [{"name": "web", "source": "charts/web"}],
            "install": {
                "releases": [
                    {
                        "name": "web",
                        "chart": "web",
                        "namespace": "web",
                        "values": ["values/web.yaml"],
                        "timeout": "60s",
                        "steady": "0s",
                    }
                ]
            },
        }
    )
    values(bench, VALUES)
    return bench


def values(bench: Workbench, text: str) -> None:
    path = bench.place / "values/web.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def rehearse(bench: Workbench, assets: Path, tmp_path: Path, *words: str, cluster: bool = False) -> Ran:
    """Make the bundle, then rehearse it with helm on PATH."""
    registry = str(Path(program("docker-registry", "registry")).parent)
    bench.env |= {"PATH": registry, "KUBEBUILDER_ASSETS": ""}
    made = bench.doit("bundle")
    assert made.code == 0, made.out + made.err
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for name, real in (("helm", "helm4"), ("kubectl", "kubectl")):
        if not (tools / name).exists():
            (tools / name).symlink_to(assets / real)
    bench.env |= {"PATH": os.pathsep.join([str(tools), registry]), "KUBEBUILDER_ASSETS": str(assets) if cluster else ""}
    return bench.doit("rehearse", f"bundle={bench.bundle}", *words)


def result(bench: Workbench) -> dict[str, Any]:
    found = json.loads((bench.place / ".airgap/rehearsal.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.cluster
@pytest.mark.registry
def test_releases_come_up_in_a_throwaway_cluster(bench: Workbench, assets: Path, tmp_path: Path) -> None:
    install: Any = bench.spec["install"]
    install["secrets"] = [
        {"name": "key", "generate": "hex64", "namespaces": ["web"]},
        {"name": "login", "namespaces": ["web"], "data": {"password": "${env.WEB_PASSWORD}", "pin": "${file.pin.txt}"}},
    ]
    pair = {"certificate": "${file.tls.crt}", "key": "${file.tls.key}"}
    install["secrets"].append({"name": "tls", "type": "tls", "namespaces": ["web"], **pair})
    install["actions"] = [{"name": "enroll", "after": ["web"], "run": ["false"], "outputs": "json"}]
    install["checks"] = [{"tcp": "mysql.internal:3306"}]
    install["releases"][0]["health"] = ["https://web.internal/health"]
    bench.write()
    values(bench, VALUES + "note: ${site.region}\nmail: ops@mycompany.com\n")
    ran = rehearse(bench, assets, tmp_path, "pods=simulated", cluster=True)
    assert ran.code == 0, ran.out + ran.err
    assert "warning: release 'web': values/web.yaml:6: 'mail' still holds 'mycompany.com'" in ran.out
    found = result(bench)
    assert found["target"] == "the CNCF registry, Kubernetes with simulated nodes"
    assert "release 'web' renders, and 1 image of it can be pulled" in found["proven"]
    left = "that the programs in the images run: simulated nodes only say so (pods=simulated)"
    assert left in found["not_proven"]
    said = " | ".join(found["not_proven"])
    for each in ("${env.WEB_PASSWORD}", "${file.pin.txt}", "${site.region}", "does not run: enroll", "mysql.internal"):
        assert each in said
    assert "https://web.internal/health" in said
    assert found["outside"] == []
    assert list((bench.place / ".airgap/rehearsal").iterdir()) == []


@pytest.fixture
def running(bench: Workbench) -> Workbench:
    """The bench with a program in its image, and a chart that takes what it does from the values."""
    try:
        node_assets()
    except PartError as err:
        pytest.skip(str(err))
    shutil.rmtree(bench.place / "images/web")
    write_layout(bench.place / "images/web", busybox_image(), "example.com/web:1.0")
    shutil.copytree(CHARTS / "fate", bench.place / "charts/fate")
    bench.spec["charts"] = [{"name": "fate", "source": "charts/fate"}]
    bench.spec["install"]["releases"][0]["chart"] = "fate"  # type: ignore[index]
    bench.write()
    return bench


def program_of(bench: Workbench, script: str, *, job: bool = False) -> None:
    """Have the release's container run this: for good, or as a hook job before it."""
    main = {"name": "main", "image": "${image.web.ref}", "command": ["/bin/sh", "-c", script]}
    pod: dict[str, Any] = {"terminationGracePeriodSeconds": 0, "containers": [main]}
    given: dict[str, Any] = {"pod": pod}
    if job:
        pod["restartPolicy"] = "Never"
        given |= {"kind": "Job", "hook": "pre-install", "spec": {"backoffLimit": 0}}
    values(bench, json.dumps(given))


@pytest.mark.cluster
@pytest.mark.registry
def test_the_programs_in_the_images_run(running: Workbench, assets: Path, tmp_path: Path) -> None:
    program_of(running, "echo up; exec sleep 600")
    ran = rehearse(running, assets, tmp_path, cluster=True)
    assert ran.code == 0, ran.out + ran.err
    found = result(running)
    assert found["target"] == "the CNCF registry, Kubernetes whose pods run"
    assert any(each.startswith("the programs in the images run: web-") for each in found["proven"])
    assert not any("programs in the images" in each for each in found["not_proven"])
    assert "/main ran" in ran.out
    assert found["outside"] == []
    assert list((running.place / ".airgap/rehearsal").iterdir()) == []


@pytest.mark.cluster
@pytest.mark.registry
def test_a_program_that_fails_or_reaches_out_fails_the_rehearsal(
    running: Workbench, assets: Path, tmp_path: Path
) -> None:
    script = "wget -q http://telemetry.example.com/; nc -w 1 192.0.2.7 443; echo no licence found; exit 3"
    program_of(running, script, job=True)
    ran = rehearse(running, assets, tmp_path, cluster=True)
    assert ran.code == 1, ran.out + ran.err
    found = result(running)
    failures = "\n".join(found["failures"])
    assert "no licence found" in failures
    assert "pods=simulated" in failures
    assert {"telemetry.example.com (name lookup)", "192.0.2.7:443"} <= set(found["outside"])


@pytest.mark.cluster
@pytest.mark.registry
@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "image: {repository: docker.io/library/nginx, tag: '1.27'}\n",
            ["image 'docker.io/library/nginx:1.27'", "not in the bundle's registry", "${image.NAME.ref}"],
            id="a value that points outside",
        ),
        pytest.param(
            "image:\n  repository: ${image.web.repository}\n  tag: '1.1'\n",
            ["web:1.1' can't be pulled", "is its name and tag that of an image of the bundle?"],
            id="a tag that the bundle does not have",
        ),
        pytest.param(
            "image: {repository: registry.internal/team/wbe, tag: '1.0'}\n",
            ["registry.internal/team/wbe:1.0' can't be pulled"],
            id="a name written wrong below the prefix",
        ),
    ],
)
def test_what_would_fail_inside_is_named(
    bench: Workbench, assets: Path, tmp_path: Path, text: str, said: list[str]
) -> None:
    values(bench, text)
    ran = rehearse(bench, assets, tmp_path)
    assert ran.code == 1, ran.out
    failures = "\n".join(result(bench)["failures"])
    assert all(each in failures for each in said), failures


@pytest.mark.cluster
@pytest.mark.registry
def test_a_chart_that_does_not_render_fails(bench: Workbench, assets: Path, tmp_path: Path) -> None:
    template = bench.place / "charts/web/templates/needs.yaml"
    template.write_text('host: {{ required "web needs a host" .Values.host }}\n')
    ran = rehearse(bench, assets, tmp_path)
    assert ran.code == 1, ran.out
    assert any("web needs a host" in each for each in result(bench)["failures"])


@pytest.mark.cluster
@pytest.mark.registry
def test_a_name_below_the_specs_own_prefix_is_the_bundles(bench: Workbench, assets: Path, tmp_path: Path) -> None:
    values(bench, "image: {repository: registry.internal/team/web, tag: '1.0'}\n")
    ran = rehearse(bench, assets, tmp_path)
    assert ran.code == 0, ran.out + ran.err


@pytest.mark.cluster
@pytest.mark.registry
def test_a_release_that_does_not_come_up_fails(bench: Workbench, assets: Path, tmp_path: Path) -> None:
    template = bench.place / "charts/web/templates/refused.yaml"
    template.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: Not_A_Name}\nspec: {ports: [{port: 80}]}\n")
    ran = rehearse(bench, assets, tmp_path, "pods=simulated", cluster=True)
    assert ran.code == 1, ran.out
    assert any("Not_A_Name" in each for each in result(bench)["failures"]), result(bench)
    assert list((bench.place / ".airgap/rehearsal").iterdir()) == []


def test_a_cluster_can_be_named_and_is_left_as_it_was(
    bench: Workbench, assets: Path, tmp_path: Path, cluster: Cluster
) -> None:
    namespace = cluster.new_namespace("rehearsed")
    install: Any = bench.spec["install"]
    install["releases"][0]["namespace"] = namespace
    install["secrets"] = [{"name": "key", "generate": "hex64", "namespaces": [namespace]}]
    ran = rehearse(bench, assets, tmp_path, f"kubeconfig={cluster.kubeconfig}")
    assert ran.code == 0, ran.out + ran.err
    found = result(bench)
    assert str(cluster.kubeconfig) in found["target"]
    assert any(each.startswith("that nothing outside is needed") for each in found["not_proven"])
    assert any(each.startswith("secrets, values and releases come up") for each in found["proven"])
    assert cluster.kubectl("get", "namespace", namespace, "--ignore-not-found", "-o", "name") == ""
    assert list((bench.place / ".airgap/rehearsal-marks").iterdir()) == []


def in_cluster(bench: Workbench, namespace: str) -> Any:
    """The spec with a namespace of a shared cluster and a secret that is made once."""
    install: Any = bench.spec["install"]
    install["releases"][0]["namespace"] = namespace
    install["secrets"] = [{"name": "key", "generate": "hex64", "namespaces": [namespace]}]
    bench.write()
    return install


def everything(cluster: Cluster, namespace: str) -> str:
    """All that could be lost: what is in the namespace, with its contents."""
    return cluster.kubectl("get", "deployments,secrets,configmaps,services", "-n", namespace, "-o", "yaml")


@pytest.mark.cluster
@pytest.mark.registry
def test_a_cluster_in_use_is_not_touched(bench: Workbench, assets: Path, tmp_path: Path, cluster: Cluster) -> None:
    """A release, its generated key and somebody's configuration are there: all are named, and stay as they are."""
    namespace = cluster.new_namespace()
    in_cluster(bench, namespace)
    cluster.kubectl("create", "namespace", namespace)
    key = "11" * 32
    cluster.kubectl("create", "secret", "generic", "key", "-n", namespace, f"--from-literal=value={key}")
    cluster.kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=a=b")
    held = ["create", "secret", "generic", "sh.helm.release.v1.web.v1", "-n", namespace, "--type=helm.sh/release.v1"]
    cluster.kubectl(*held, "--from-literal=release=x")
    before = everything(cluster, namespace)
    ran = rehearse(bench, assets, tmp_path, f"kubeconfig={cluster.kubeconfig}")
    assert ran.code == 1, ran.out + ran.err
    (failure,) = result(bench)["failures"]
    assert f"release 'web' is installed in namespace '{namespace}'" in failure
    assert f"secret 'key' is there in namespace '{namespace}'" in failure
    assert "configmap/settings" in failure
    assert "nothing was changed" in failure
    assert everything(cluster, namespace) == before
    assert "airgap.rehearsal" not in cluster.kubectl("get", "namespace", namespace, "-o", "yaml")


@pytest.mark.cluster
@pytest.mark.registry
def test_an_empty_namespace_stays_and_a_failed_rehearsal_cleans_up(
    bench: Workbench, assets: Path, tmp_path: Path, cluster: Cluster
) -> None:
    namespace = cluster.new_namespace()
    in_cluster(bench, namespace)
    cluster.kubectl("create", "namespace", namespace)
    images: Any = bench.spec["images"]
    images[0]["target"] = "web:pull-fails"
    bench.write()
    ran = rehearse(bench, assets, tmp_path, f"kubeconfig={cluster.kubeconfig}")
    assert ran.code == 1, ran.out
    assert "does not come up" in ran.out
    assert "is not as it was" not in ran.out
    left = cluster.kubectl("get", "deployments,secrets,jobs", "-n", namespace, "-o", "name")
    assert left == ""
    assert "airgap.rehearsal" not in cluster.kubectl("get", "namespace", namespace, "-o", "yaml")


@pytest.mark.cluster
@pytest.mark.registry
def test_what_a_killed_rehearsal_left_is_removed_by_the_next_one_only_while_it_is_marked(
    bench: Workbench, assets: Path, tmp_path: Path, cluster: Cluster
) -> None:
    namespace = cluster.new_namespace()
    in_cluster(bench, namespace)
    marks = bench.place / ".airgap/rehearsal-marks"
    marks.mkdir(parents=True)
    (marks / "0123456789abcdef").touch()
    cluster.kubectl("create", "namespace", namespace)
    marked = ["airgap.rehearsal/id=0123456789abcdef", "airgap.rehearsal/made=true"]
    cluster.kubectl("annotate", "namespace", namespace, *marked)
    cluster.kubectl("create", "secret", "generic", "key", "-n", namespace, "--from-literal=value=x")
    ran = rehearse(bench, assets, tmp_path, f"kubeconfig={cluster.kubeconfig}")
    assert ran.code == 0, ran.out + ran.err
    assert f"removing what a rehearsal that was killed has left in {namespace}" in ran.out
    assert cluster.kubectl("get", "namespace", namespace, "--ignore-not-found", "-o", "name") == ""
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("annotate", "namespace", namespace, *marked)
    ran = rehearse(bench, assets, tmp_path, f"kubeconfig={cluster.kubeconfig}")
    assert ran.code == 1, ran.out
    assert "has the mark of another rehearsal (0123456789abcdef)" in ran.out
