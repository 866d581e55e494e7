"""What the check of the workload manager finds in a site's settings."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from schema.loading.load import load
from schema.site.settings import completed
from schema.site.site import Site
from tests.fixtures.places import ROOT

PROGRAM = ROOT / "examples" / "zenml-pro" / "check_workload.py"
SITE = completed(Site(), load(ROOT / "airgap.yaml", env={}).settings).facts
BUILD = "ZENML_KUBERNETES_WORKLOAD_MANAGER_BUILD_RUNNER_IMAGE"
AWS = {"implementation": "aws", "region": "eu-central-1"}


def run(workload: dict[str, object], *, is_on: bool = True, **more: object) -> "subprocess.CompletedProcess[str]":
    site: dict[str, Any] = {**SITE, "workload_manager": is_on, **more}
    site["workload"] = {**SITE["workload"], **workload}
    env = {**os.environ, "AIRGAP_SITE": json.dumps(site)}
    return subprocess.run(
        [sys.executable, str(PROGRAM)], env=env, capture_output=True, text=True, check=False, timeout=60
    )


def found(workload: dict[str, object], *, is_on: bool = True, **more: object) -> list[str]:
    """What is refused; each has a next step."""
    done = run(workload, is_on=is_on, **more)
    lines = done.stderr.splitlines()
    assert done.returncode == bool(lines), done.stderr
    assert all(" next: " in line for line in lines), done.stderr
    return lines


def overrides(release: str = "zenml", key: str = "zenml", **environment: object) -> dict[str, Any]:
    return {release: {key: {"environment": environment}}}


@pytest.mark.parametrize(
    "workload",
    [
        {},
        AWS,
        {"implementation": "gcp"},
        {**AWS, "external_logs": True, "bucket": "s3://my-logs/runs/of/zenml"},
        {"runner_image": "named", "image": "registry.corp:5000/team/training:1.4"},
        {"runner_image": "named", "image": f"registry.corp/training@sha256:{'0' * 64}"},
        {"runner_image": "reused"},
        {"pod_failure_policy": {"rules": [{"action": "FailJob"}]}, "job_retries": 3},
        {"node_selector": {"pool": "zenml"}, "tolerations": [{"key": "pool", "operator": "Exists"}]},
        {"pod_resources": {}},
    ],
    ids=lambda workload: " ".join(workload) or "defaults",
)
def test_what_goes_together(workload: dict[str, object]) -> None:
    assert found(workload) == []


def test_building_needs_what_the_bundle_does_not_have() -> None:
    done = run({**AWS, "runner_image": "built", "registry": "1234.dkr.ecr.eu-central-1.amazonaws.com"})
    assert done.returncode == 0
    assert done.stderr.startswith("runner images are built by gcr.io/kaniko-project/executor")
    assert " next: " in done.stderr


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        ({"implementation": "aws"}, "workload.region is empty, which implementation: aws needs next: "),
        ({"implementation": "aws", "region": "Frankfurt"}, "workload.region is 'Frankfurt' next: "),
        (
            {"region": "eu-west-1"},
            "workload.region is 'eu-west-1', and nothing uses it next: write implementation: aws",
        ),
        ({**AWS, "external_logs": True}, "workload.bucket is empty, which external_logs: true needs"),
        ({**AWS, "external_logs": True, "bucket": "logs"}, "workload.bucket is 'logs' next: write s3://BUCKET/PATH"),
        ({**AWS, "bucket": "s3://logs"}, "workload.bucket is 's3://logs', and nothing uses it"),
        ({"external_logs": True}, "workload.external_logs is true, and workload.implementation kubernetes keeps no"),
        (
            {"external_logs": True, "implementation": "gcp", "bucket": "s3://logs"},
            "workload.external_logs is true, and workload.implementation gcp keeps no logs",
        ),
        ({"runner_image": "built"}, "workload.registry is empty, which runner_image: built needs"),
        ({"runner_image": "built", "registry": "https://r.corp/x"}, "workload.registry is 'https://r.corp/x' next: "),
        ({"registry": "r.corp/x"}, "workload.registry is 'r.corp/x', and nothing uses it"),
        ({"runner_image": "named"}, "workload.image is empty, which runner_image: named needs"),
        ({"runner_image": "named", "image": "training:1.4"}, "workload.image is 'training:1.4' next: "),
        ({"runner_image": "named", "image": "r.corp/training"}, "workload.image is 'r.corp/training' next: "),
        ({"image": "r.corp/x:1"}, "workload.image is 'r.corp/x:1', and nothing uses it"),
        ({"pod_resources": {"memory": "1Gi"}}, "workload.pod_resources has 'memory'"),
        ({"pod_resources": {"limits": "1Gi"}}, "workload.pod_resources is no mapping of mappings"),
        ({"node_selector": {"gpu": True}}, "workload.node_selector has a value that is no text"),
        ({"annotations": {"a": 1}}, "workload.annotations has a value that is no text"),
        ({"rules": [{"verbs": ["get"]}]}, "workload.rules has one that is no rule of a Role"),
        ({"push_secret": "pusher"}, "workload.push_secret is 'pusher', and nothing is pushed"),
        ({"tolerations": ["gpu"]}, "workload.tolerations is no list of mappings"),
        ({"pod_failure_policy": {"rules": []}}, "workload.pod_failure_policy has no rules"),
        ({"keep_seconds": -1}, "workload.keep_seconds is -1"),
        ({"runs_at_once": 0}, "workload.runs_at_once is 0"),
        ({"job_retries": -2}, "workload.job_retries is -2"),
        ({"service_account": "Zen ML"}, "workload.service_account is 'Zen ML'"),
    ],
    ids=str,
)
def test_what_does_not_go_together(workload: dict[str, object], told: str) -> None:
    (line,) = found(workload)
    assert told in line


def test_all_at_once() -> None:
    lines = found({"implementation": "aws", "external_logs": True, "runner_image": "built", "runs_at_once": 0})
    assert len(lines) == 4


def test_what_is_off_is_not_looked_at() -> None:
    assert found({"implementation": "aws", "runner_image": "built"}, is_on=False) == []


def test_a_wrong_type_is_left_to_preflight() -> None:
    """Which has the types of the spec; here it must not be a traceback."""
    assert found({"keep_seconds": "two days", "pod_resources": "much", "runner_image": 3}) == []


@pytest.mark.parametrize(
    ("workload", "is_on"),
    [
        pytest.param({}, True, id="carried"),
        pytest.param({}, False, id="off"),
        pytest.param({"runner_image": "built", "registry": "r.corp/x"}, False, id="built, but off"),
    ],
)
@pytest.mark.parametrize("value", ["true", "True", True])
def test_an_override_that_builds_where_nothing_could(workload: dict[str, object], is_on: bool, value: object) -> None:
    *_, line = found(workload, is_on=is_on, overrides=overrides(**{BUILD: value}))
    assert line.startswith(f"overrides: zenml: zenml: environment: {BUILD} is true, and nothing could build")
    assert "workload.runner_image: built" in line.partition(" next: ")[2]


def test_what_the_hint_says_is_taken() -> None:
    """The settings instead of the override; beside it they build too."""
    asked: dict[str, object] = {"runner_image": "built", "registry": "r.corp/x"}
    assert run(asked).returncode == 0
    assert run(asked, overrides=overrides(**{BUILD: "true"})).returncode == 0


def test_overrides_are_texts() -> None:
    told = found({}, overrides=overrides(A=2, B=True, C="text", D=None))
    assert [line.partition(": environment: ")[2].partition(" ")[0] for line in told] == ["A", "B"]


def test_overrides_of_each_workspace_and_of_later_charts() -> None:
    workspaces = [{"name": "b"}]
    own = overrides("zenml-b", "server", **{BUILD: "true"})
    (line,) = found({}, workspaces=workspaces, overrides=own)
    assert line.startswith("overrides: zenml-b: server: environment: ")
    assert found({}, overrides=overrides("zenml-pro", A=2)) == [], "not a workspace"
