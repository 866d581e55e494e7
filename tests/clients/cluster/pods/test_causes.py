"""Why releases do not come up, from objects as clusters tell them."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from clients.cluster.pods.causes import causes, pull_fault
from clients.cluster.pods.trouble import Event, Patience, Trouble
from clients.cluster.pods.workloads import NamespaceState
from tests.fixtures.made.objects import IMAGE, event, pod, thing, waiting


def found(objects: Sequence[dict[str, Any]], *events: Event) -> list[Trouble]:
    snapshot = NamespaceState.of(objects, events)
    return causes(snapshot, snapshot.members("web"), Patience())


NOT_FOUND = (
    'Back-off pulling image "registry.test/shop/web:2": ErrImagePull: rpc error: code = NotFound desc = failed to pull '
    'and unpack image "registry.test/shop/web:2": failed to resolve reference "registry.test/shop/web:2": '
    "registry.test/shop/web:2: not found"
)


@pytest.mark.parametrize(
    ("state", "reason", "message", "patience"),
    [
        pytest.param(waiting("ImagePullBackOff", NOT_FOUND), "ImagePullBackOff", f"{IMAGE}: not found", 0, id="pull"),
        pytest.param(
            waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"), "ErrImagePull", "timeout", 90, id="may-heal"
        ),
        pytest.param(
            waiting("InvalidImageName", "couldn't parse image name"),
            "InvalidImageName",
            f"'{IMAGE}' is no image name: couldn't parse",
            0,
            id="name",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "db" not found'),
            "CreateContainerConfigError",
            "container 'web' can't start: secret \"db\" not found",
            30,
            id="secret",
        ),
        pytest.param(
            waiting("RunContainerError", 'exec: "srv": executable file not found in $PATH'),
            "RunContainerError",
            "executable file not found",
            30,
            id="command",
        ),
        pytest.param(
            waiting("ErrImageNeverPull", "not present"), "ErrImageNeverPull", "not on the node", 0, id="never"
        ),
        pytest.param(
            {"terminated": {"exitCode": 3, "reason": "Error", "message": "no db"}},
            "Error",
            "container 'web' ended with exit code 3: no db",
            math.inf,
            id="ended",
        ),
    ],
)
def test_troubles_of_a_container(state: dict[str, Any], reason: str, message: str, patience: float) -> None:
    (trouble,) = found([pod(state=state)])
    assert (trouble.kind, trouble.name, trouble.reason, trouble.patience) == ("pod", "web-1", reason, patience)
    assert message in trouble.message
    assert trouble.hint


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"running": {}}, id="running"),
        pytest.param(waiting("ContainerCreating"), id="creating"),
        pytest.param(waiting("PodInitializing"), id="initializing"),
        pytest.param({"terminated": {"exitCode": 0, "reason": "Completed"}}, id="completed"),
        pytest.param({}, id="not-told"),
    ],
)
def test_no_trouble(state: dict[str, Any]) -> None:
    assert found([pod(state=state)]) == []


@pytest.mark.parametrize(("restarts", "patience"), [(4, math.inf), (5, 0.0)])
def test_a_crash_loop_counts_after_some_restarts(restarts: int, patience: float) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    (trouble,) = found([pod(state=waiting("CrashLoopBackOff"), restarts=restarts, lastState=ended)])
    assert trouble.message == f"container 'web' ended {restarts} times, last by OOMKilled with exit code 137"
    assert trouble.patience == patience


def test_the_runtimes_words_come_from_the_event_when_the_status_only_waits() -> None:
    said = event("Pod", "web-1", "Failed", f'Failed to pull image "{IMAGE}": unexpected status: 401 Unauthorized')
    other = event("Pod", "web-1", "Failed", 'Failed to pull image "b": manifest unknown')
    (trouble,) = found([pod(state=waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'))], said, other)
    assert trouble.message == f"image {IMAGE} can't be pulled: unexpected status: 401 Unauthorized"
    assert "pull secret for registry.test" in trouble.hint


def test_a_pod_that_goes_is_no_trouble() -> None:
    gone = pod(state=waiting("InvalidImageName"))
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert found([gone]) == []


def test_volumes_come_before_the_pods_that_wait_for_them() -> None:
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "unbound claims"}
    stuck = thing("Pod", "web-1", status={"conditions": [waits]})
    claim = thing("PersistentVolumeClaim", "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    told = event("PersistentVolumeClaim", "data", "ProvisioningFailed", 'storageclass "fast" not found')
    volume, scheduling = found([stuck, claim], told)
    assert volume.message == "asks for storage class 'fast': storageclass \"fast\" not found"
    assert (scheduling.reason, scheduling.message) == ("Unschedulable", "unbound claims")
    assert found([claim]) == []
    assert found([{**claim, "status": {"phase": "Bound"}}], told) == []


def test_a_mount_that_fails() -> None:
    mount = event("Pod", "web-1", "FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "tls" not found')
    (trouble,) = found([thing("Pod", "web-1", status={"phase": "Pending"})], mount)
    assert (trouble.reason, trouble.patience) == ("FailedMount", 60)
    assert found([thing("Pod", "web-1", status={"phase": "Running"})], mount) == []


@pytest.mark.parametrize(
    ("message", "troubled"),
    [
        pytest.param('pods "web-1" is forbidden: exceeded quota: small, requested: pods=1', True, id="quota"),
        pytest.param('admission webhook "policy" denied the request: no', True, id="policy"),
        pytest.param('pods "web-1" is forbidden: violates PodSecurity "restricted"', True, id="security"),
        pytest.param('failed calling webhook "x": connection refused', False, id="webhook-starting"),
    ],
)
def test_pods_that_are_refused(message: str, troubled: bool) -> None:
    lacking = thing("StatefulSet", "db", spec={"replicas": 1})
    complete = thing("StatefulSet", "db", spec={"replicas": 1}, status={"replicas": 1})
    told = event("StatefulSet", "db", "FailedCreate", message)
    assert [(each.kind, each.reason) for each in found([lacking], told)] == (
        [("statefulset", "FailedCreate")] if troubled else []
    )
    assert found([complete], told) == []


def test_a_replica_sets_refusal_is_in_its_status() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "is forbidden: exceeded quota: small"}
    replicas = thing("ReplicaSet", "web-7", spec={"replicas": 2}, status={"replicas": 1, "conditions": [condition]})
    (trouble,) = found([replicas])
    assert trouble.message == "its pods are refused: is forbidden: exceeded quota: small"


def test_a_job_that_failed() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached it"}
    (trouble,) = found([thing("Job", "migrate", status={"conditions": [failed]})])
    assert (trouble.kind, trouble.reason, trouble.message) == (
        "job",
        "BackoffLimitExceeded",
        "failed: Job has reached it",
    )
    hook = {"annotations": {"helm.sh/hook": "pre-install"}}
    (trouble,) = found([thing("Job", "migrate", metadata=hook, status={"conditions": [failed]})])
    assert trouble.message.startswith("hook failed: ")


@pytest.mark.parametrize(
    ("message", "words", "hint", "may_heal"),
    [
        pytest.param(
            "x509: certificate signed by unknown authority", "x509: ", "trust the CA of registry.test", False, id="ca"
        ),
        pytest.param(
            "http: server gave HTTP response to HTTPS client", "http: ", "plain HTTP|runtime speak", False, id="http"
        ),
        pytest.param("no basic auth credentials", "no basic", "pull secret for registry.test", False, id="login"),
        pytest.param(
            "dial tcp: lookup registry.test: no such host", "dial", "resolve and reach registry.test", True, id="dns"
        ),
        pytest.param("no match for platform in manifest", "no match", "bundle.platform", False, id="platform"),
        pytest.param("toomanyrequests: 429", "toomany", "reach", True, id="limit"),
        pytest.param("something else", "something", "crictl pull", True, id="unknown"),
    ],
)
def test_why_an_image_is_not_pulled(message: str, words: str, hint: str, may_heal: bool) -> None:
    fault = pull_fault(IMAGE, message)
    assert fault.words.startswith(words)
    assert any(each in fault.hint for each in hint.split("|"))
    assert fault.may_heal is may_heal
