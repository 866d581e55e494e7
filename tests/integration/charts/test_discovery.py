"""Discovery by the official helms: one chart for each trap, with exactly the images it must and may find."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.made.published import faults
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError
from tests.fixtures.places import DISCOVERED_CHARTS

DIGEST = f"sha256:{'a' * 64}"

Row = tuple[str, str, str]  # image, object, field

CERTAIN: dict[str, list[Row]] = {
    "required-values": [("docker.io/team/web:1.0", "Deployment/web", "spec.template.spec.containers[0].image")],
    "aliased-subchart": [
        ("docker.io/team/store:1.0", "StatefulSet/primary", "spec.template.spec.containers[0].image"),
        ("docker.io/team/store:2.0", "StatefulSet/standby", "spec.template.spec.containers[0].image"),
    ],
    "compressed-subchart": [
        ("docker.io/team/cache:7.2", "DaemonSet/cache", "spec.template.spec.containers[0].image"),
    ],
    "operator-resource": [
        ("ghcr.io/team/postgresql:16.4", "Cluster/db", "spec.imageName"),
        ("quay.io/team/engine:4.0", "Widget/own", "spec.engine.runs"),
        ("quay.io/team/run:1", "Runner/pods", "spec.podTemplate.spec.containers[0].image"),
        ("quay.io/team/init:1", "Runner/pods", "spec.podTemplate.spec.initContainers[0].image"),
    ],
    "image-of-three-values": [
        ("registry.example.com:5000/team/api:2.3", "ReplicaSet/api", "spec.template.spec.containers[0].image"),
    ],
    "digest-pinned": [
        (
            f"docker.io/team/job:1.0@{DIGEST}",
            "CronJob/nightly",
            "spec.jobTemplate.spec.template.spec.containers[0].image",
        ),
        (f"docker.io/team/job@{DIGEST}", "CronJob/nightly", "spec.jobTemplate.spec.template.spec.containers[1].image"),
    ],
    "numeric-tag": [
        ("docker.io/team/num:20240101", "Pod/num", "spec.containers[0].image"),
        ("docker.io/team/num:1.1", "Pod/num", "spec.containers[1].image"),  # what Helm makes of `minor: 1.10`
        ("docker.io/team/num:1.10", "Pod/num", "spec.containers[2].image"),
    ],
    "test-hook": [
        ("busybox", "Pod/test-hook-test", "spec.containers[0].image"),
        ("docker.io/team/wait:3", "Job/migrate", "spec.template.spec.initContainers[0].image"),
        ("docker.io/team/migrate:3", "Job/migrate", "spec.template.spec.containers[0].image"),
        ("docker.io/team/debug:3", "Job/migrate", "spec.template.spec.ephemeralContainers[0].image"),
        ("quay.io/team/model:5", "Job/migrate", "spec.template.spec.volumes[0].image.reference"),
    ],
    "image-in-env": [
        ("docker.io/team/operator:1.0", "Deployment/operator", "spec.template.spec.containers[0].image"),
    ],
    "definition-with-image": [("docker.io/team/only:1.0", "Pod/only", "spec.containers[0].image")],
    "disabled-component": [
        ("docker.io/team/app:1.0", "Deployment/app", "spec.template.spec.containers[0].image"),
        ("docker.io/team/metrics:1.0", "Deployment/app", "spec.template.spec.containers[1].image"),
    ],
}

SUSPECTED: dict[str, list[Row]] = {  # image, object, evidence
    "compressed-subchart": [
        ("docker.io/team/cache-exporter:1.5", "Chart/cache", "annotation images"),
    ],
    "operator-resource": [
        ("quay.io/team/tool:1.10", "Widget/own", "custom resource: registry, repository and tag"),
    ],
    "image-in-env": [
        ("docker.io/team/worker:1.0", "Deployment/operator", "environment variable RELATED_IMAGE_WORKER"),
        ("quay.io/team/a:1.0", "Deployment/operator", "environment variable HELPERS"),
        ("quay.io/team/b:1.0", "Deployment/operator", "environment variable HELPERS"),
        ("docker.io/team/sidecar:1.0", "Deployment/operator", "argument --sidecar-image"),
        ("quay.io/team/reloader:v2", "Deployment/operator", "argument --reloader-image"),
        ("ghcr.io/team/plain:1.0", "ConfigMap/operator", "ConfigMap key plain-image"),
        ("ghcr.io/team/executor:1.0", "ConfigMap/operator", "ConfigMap key config.yaml: registry, repository and tag"),
        ("ghcr.io/team/notes:2.0", "ConfigMap/operator", "ConfigMap key notes.txt"),
    ],
}

VALUES = {
    "required-values": """
        host: ${site.web.host}
        replicas: ${site.web.replicas}
        password: ${secret.password}
        extra: ${site.web.extra}
    """,
    "disabled-component": "metrics: {enabled: true}",
}


def project(place: Path, helm: str, releases: list[str]) -> Workbench:
    """A spec of these charts, each a release of its own, and an environment with this helm."""
    try:
        program = asset(helm)
    except PartError as err:
        pytest.skip(str(err))
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "helm").symlink_to(program)
    (place / "values").mkdir()
    bench = Workbench(place=place, env={"PATH": os.pathsep.join([str(place / "bin"), "/usr/bin", "/bin"])})
    for name in releases:
        shutil.copytree(DISCOVERED_CHARTS / name, place / "charts" / name)
        (place / "values" / f"{name}.yaml").write_text(VALUES.get(name, ""))
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.internal.example/app"},
            "charts": [{"name": name, "source": f"charts/{name}"} for name in releases],
            "discovery": {"fields": [{"group": "widgets.example.com", "kind": "Widget", "path": "$.spec.engine.runs"}]},
            "install": {
                "secrets": [{"name": "password", "generate": "alnum32"}],
                "releases": [
                    {"name": name, "chart": name, "namespace": "app", "values": [f"values/{name}.yaml"]}
                    for name in releases
                ],
            },
        }
    )
    return bench


@pytest.fixture(scope="module", params=["helm3", "helm4"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    bench = project(tmp_path_factory.mktemp(request.param) / "project", request.param, list(CERTAIN))
    ran = bench.doit("images", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert faults("images", ran.out) == []
    images: list[dict[str, Any]] = json.loads(ran.out)["images"]
    return images


@pytest.mark.cluster
@pytest.mark.parametrize("chart", CERTAIN)
def test_exactly_these_are_certain(found: list[dict[str, Any]], chart: str) -> None:
    certain = [each for each in found if each["release"] == chart and each["certain"]]
    rows = [(each["image"], each["object"], each["field"]) for each in certain]
    assert sorted(rows) == sorted(CERTAIN[chart])


@pytest.mark.cluster
@pytest.mark.parametrize("chart", CERTAIN)
def test_exactly_these_are_suspected_and_explained(found: list[dict[str, Any]], chart: str) -> None:
    guessed = [each for each in found if each["release"] == chart and not each["certain"]]
    rows = [(each["image"], each["object"], each["evidence"]) for each in guessed]
    assert sorted(rows) == sorted(SUSPECTED.get(chart, []))


@pytest.mark.cluster
def test_references_are_split(found: list[dict[str, Any]]) -> None:
    keys = ("registry", "repository", "tag", "digest")
    split = {each["image"]: tuple(each[key] for key in keys) for each in found}
    assert split["registry.example.com:5000/team/api:2.3"] == ("registry.example.com:5000", "team/api", "2.3", None)
    assert split[f"docker.io/team/job:1.0@{DIGEST}"] == ("docker.io", "team/job", "1.0", DIGEST)
    assert split[f"docker.io/team/job@{DIGEST}"] == ("docker.io", "team/job", "", DIGEST)
    assert split["busybox"] == ("docker.io", "library/busybox", "", None)
