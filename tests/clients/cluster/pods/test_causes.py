"""Why releases do not come up, from objects as clusters tell them."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from clients.cluster.pods.causes import causes, waited_for
from clients.cluster.pods.trouble import Event, Patience, Trouble
from clients.cluster.pods.workloads import NamespaceState
from tests.fixtures.made.objects import IMAGE, ended, event, pod, thing, up, waiting


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
            waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"), "ErrImagePull", "timeout", 120, id="may-heal"
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


@pytest.mark.parametrize(("restarts", "patience"), [(3, math.inf), (4, 60.0)])
def test_a_crash_loop_counts_after_some_restarts(restarts: int, patience: float) -> None:
    last = ended(137, "OOMKilled")
    (trouble,) = found([pod(state=waiting("CrashLoopBackOff"), restarts=restarts, lastState=last)])
    assert trouble.message == f"container 'web' ended {restarts + 1} times, last by OOMKilled with exit code 137"
    assert trouble.patience == patience


PULLED = {"waiting": {"reason": "ContainerCreating"}}


@pytest.mark.parametrize(
    ("other", "patience"),
    [
        pytest.param(up("db-0"), 60.0, id="all others are up"),
        pytest.param(pod("db-0", state=PULLED, phase="Pending"), math.inf, id="another has not begun"),
        pytest.param(
            pod("db-0", state={"running": {}}, ready=False, phase="Running"), 300.0, id="another is not ready"
        ),
        pytest.param(
            pod("db-0", state=waiting("CrashLoopBackOff"), restarts=9, lastState=ended()), 60.0, id="another loops too"
        ),
        pytest.param(pod("db-0", state=waiting("InvalidImageName")), 60.0, id="another can't start"),
    ],
)
def test_a_container_may_end_because_it_waits_for_another_pod(other: dict[str, Any], patience: float) -> None:
    loops = pod(state=waiting("CrashLoopBackOff"), restarts=4, lastState=ended())
    troubles = [each for each in found([loops, other]) if each.name == "web-1"]
    assert [each.patience for each in troubles] == [patience]


def test_kubelets_names_for_one_thing_are_one_trouble() -> None:
    """Each line is what one container shows by turns."""
    again = {"restarts": 2, "lastState": ended(2)}
    never = ended(128, "StartError", message='exec: "srv": executable file not found')
    for states in (
        [pod(state=waiting("ErrImagePull", "refused")), pod(state=waiting("ImagePullBackOff", "refused"))],
        [
            pod(state=waiting("RunContainerError", "no")),
            pod(state=never),
            pod(state=waiting("CrashLoopBackOff"), restarts=1, lastState=never),
            pod(state=waiting("CreateContainerError", "no")),
        ],
        [
            pod(state=ended(2), restarts=1),
            pod(state={"running": {}}, ready=True, **again),
            pod(state=waiting("CrashLoopBackOff"), **again),
        ],
    ):
        assert len({trouble.key for state in states for trouble in found([state])}) == 1


def test_a_container_that_runs_again_rests() -> None:
    (trouble,) = found([pod(state={"running": {}}, ready=True, restarts=3, lastState=ended(2))])
    assert (trouble.rests, trouble.patience) == (True, math.inf)
    assert trouble.message == "container 'web' runs again, but it ended 3 times, last by Error with exit code 2"


@pytest.mark.parametrize("restarts", [0, 9])
def test_a_jobs_pod_leaves_its_job_to_decide(restarts: int) -> None:
    job = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-install"}})
    failed = pod(
        "migrate-x", owner="Job/migrate", state=waiting("CrashLoopBackOff"), restarts=restarts, lastState=ended()
    )
    assert [each.patience for each in found([job, failed])] == [math.inf]


def test_what_is_only_waited_for() -> None:
    """No fault as yet, and told last: a job that runs, an init container, a probe that fails."""
    job = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-install"}})
    runs = pod("migrate-x", owner="Job/migrate", state={"running": {}}, ready=True)
    probed = pod("web-1", state={"running": {}}, ready=False)
    said = event("Pod", "web-1", "Unhealthy", "Readiness probe failed: statuscode: 404")
    other = event("Pod", "web-1", "Unhealthy", "Readiness probe failed: of another", container="sidecar")
    begins = pod("web-2", state=waiting("PodInitializing"))
    begins["status"]["initContainerStatuses"] = [{"name": "wait", "restartCount": 0, "state": {"running": {}}}]
    fault = pod("web-3", state=waiting("InvalidImageName", "x"))
    troubles = found([job, runs, probed, begins, fault], said, other)
    assert [(each.waits, each.patience) for each in troubles] == [(False, 0.0), *[(True, math.inf)] * 3]
    assert [each.brief for each in troubles[1:]] == [
        "pod migrate-x: container 'web' still runs",
        "pod web-1: container 'web' runs, but is not ready: Readiness probe failed: statuscode: 404",
        "pod web-2: init container 'wait' still runs",
    ]


def test_a_sidecar_that_runs_is_not_waited_for() -> None:
    """An init container that is restarted always stays beside the others."""
    beside = up()
    beside["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    beside["status"]["initContainerStatuses"] = [{"name": "proxy", "ready": True, "state": {"running": {}}}]
    assert found([beside]) == []


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        pytest.param(
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            "securityContext.runAsUser",
            id="root",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app)"),
            "the number of the image's user",
            id="named user",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", "couldn't find key password in Secret shop/db"),
            "add this key",
            id="key",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "db" not found'), "make the secret or config map", id="secret"
        ),
        pytest.param(
            waiting("RunContainerError", 'exec: "srv": executable file not found in $PATH'),
            "no such program",
            id="command",
        ),
        pytest.param(
            waiting("RunContainerError", 'exec: "/srv": stat /srv: no such file or directory'),
            "no such program",
            id="file",
        ),
        pytest.param(waiting("RunContainerError", "exec /srv: exec format error"), "bundle.platform", id="platform"),
        pytest.param(waiting("RunContainerError", "not a directory: mount"), "mounts", id="mounts"),
        pytest.param(ended(137, "OOMKilled"), "resources.limits.memory", id="memory"),
        pytest.param(ended(137), "liveness probe and at its memory", id="killed"),
        pytest.param(ended(127), "command in the values", id="shell"),
        pytest.param(ended(1), "last log lines", id="error"),
    ],
)
def test_the_next_step_for_a_container(state: dict[str, Any], hint: str) -> None:
    (trouble,) = found([pod(state=state)])
    assert hint in trouble.hint


def test_one_that_ends_well_again_and_again_is_told_to_go_on() -> None:
    (trouble,) = found([pod(state=waiting("CrashLoopBackOff"), restarts=1, lastState=ended(0, "Completed"))])
    assert trouble.message == "container 'web' ended 2 times, last by Completed with exit code 0"
    assert "goes on running" in trouble.hint


def test_of_a_long_last_word_the_end_is_told() -> None:
    (trouble,) = found([pod(state=ended(1, message="x" * 5000 + " no database"))])
    assert trouble.message.endswith("xx no database")
    assert len(trouble.message) < 400


def test_a_liveness_probe_that_kills_is_named() -> None:
    killed = event("Pod", "web-1", "Unhealthy", "Liveness probe failed: dial tcp: connection refused", container="web")
    (trouble,) = found([pod(state=waiting("CrashLoopBackOff"), restarts=3, lastState=ended(143))], killed)
    assert trouble.message.endswith("with exit code 143; Liveness probe failed: dial tcp: connection refused")
    assert "liveness probe asks for" in trouble.hint


@pytest.mark.parametrize(
    ("message", "patience", "awaits"),
    [
        pytest.param('secret "db" not found', 30, ("secret", "db"), id="missing"),
        pytest.param("failed to sync secret cache: timed out waiting for the condition", math.inf, None, id="passing"),
        pytest.param("context deadline exceeded", math.inf, None, id="slow runtime"),
        pytest.param("container has runAsNonRoot", 30, None, id="refused"),
    ],
)
def test_how_long_a_container_may_fail_to_start(message: str, patience: float, awaits: tuple[str, str] | None) -> None:
    (trouble,) = found([pod(state=waiting("CreateContainerConfigError", message))])
    assert (trouble.patience, trouble.awaits) == (patience, awaits)


def test_a_node_that_ended_a_pod_is_told() -> None:
    evicted = thing("Pod", "web-1", status={"phase": "Failed", "reason": "Evicted", "message": "low on memory"})
    (trouble,) = found([evicted])
    assert (trouble.reason, trouble.message, trouble.patience) == ("Evicted", "low on memory", math.inf)


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


MISSING = 'MountVolume.SetUp failed for volume "x" : secret "tls" not found'


def test_a_mount_that_fails() -> None:
    mount = event("Pod", "web-1", "FailedMount", MISSING)
    (trouble,) = found([thing("Pod", "web-1", status={"phase": "Pending"})], mount)
    assert (trouble.reason, trouble.patience, trouble.awaits) == ("FailedMount", 60, ("secret", "tls"))
    assert found([thing("Pod", "web-1", status={"phase": "Running"})], mount) == []


@pytest.mark.parametrize(
    ("told", "status"),
    [
        pytest.param({"uid": "the one before"}, {}, id="of an earlier pod of this name"),
        pytest.param({"uid": "", "last": "2025-12-31T00:00:00Z"}, {}, id="older than the pod"),
        pytest.param(
            {}, {"initContainerStatuses": [{"name": "wait", "state": {"running": {}}}]}, id="a container runs"
        ),
        pytest.param({}, {"initContainerStatuses": [{"name": "wait", "state": ended(0)}]}, id="a container ran"),
        pytest.param(
            {}, {"conditions": [{"type": "PodReadyToStartContainers", "status": "True"}]}, id="all is mounted"
        ),
    ],
)
def test_a_mount_that_failed_once_is_no_trouble(told: dict[str, Any], status: dict[str, Any]) -> None:
    mount = event("Pod", "web-1", "FailedMount", MISSING, **told)
    made = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    stuck = thing("Pod", "web-1", metadata=made, status={"phase": "Pending", **status})
    assert [each for each in found([stuck], mount) if each.reason == "FailedMount"] == []


def test_what_comes_after_mounting_says_that_it_is_done() -> None:
    """Until 1.33 kubelet says nothing else while it pulls the first image."""
    stuck = thing("Pod", "web-1", status={"phase": "Pending"})
    mount = event("Pod", "web-1", "FailedMount", MISSING)
    pulls = event("Pod", "web-1", "Pulling", "Pulling image", type="Normal", last="2026-01-01T00:00:08Z")
    assert found([stuck], mount, pulls) == []
    once_more = event("Pod", "web-1", "FailedMount", MISSING, last="2026-01-01T00:00:09Z")
    assert len(found([stuck], mount, pulls, once_more)) == 1


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FailedMount", "MountVolume.SetUp failed for volume x : failed to sync configmap cache: timed out"),
        ("FailedAttachVolume", "Multi-Attach error for volume x"),
        ("FailedCreatePodSandBox", "plugin type=bridge failed"),
    ],
)
def test_what_a_node_tries_again_is_told_and_never_ends_a_wait(reason: str, message: str) -> None:
    stuck = thing("Pod", "web-1", status={"phase": "Pending"})
    (trouble,) = found([stuck], event("Pod", "web-1", reason, message))
    assert (trouble.reason, trouble.patience) == (reason, math.inf)


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}


def test_what_fits_no_node_may_fit_soon() -> None:
    stuck = thing("Pod", "web-1", status={"conditions": [UNSCHEDULABLE]})
    going = up("web-0")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    scaled = event("Pod", "web-1", "TriggeredScaleUp", "pod triggered scale-up", type="Normal")
    assert [each.patience for each in found([stuck])] == [60]
    assert [each.patience for each in found([stuck, going])] == [math.inf]
    assert [each.patience for each in found([stuck], scaled)] == [math.inf]


def test_a_quota_may_have_room_when_old_pods_are_gone() -> None:
    lacking = thing("StatefulSet", "db", spec={"replicas": 1})
    full = event("StatefulSet", "db", "FailedCreate", "pods is forbidden: exceeded quota: small")
    going = up("web-0")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert [each.patience for each in found([lacking, going], full)] == [math.inf]


def test_a_provisioner_may_answer_late() -> None:
    claim = thing("PersistentVolumeClaim", "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"})
    failed = event("PersistentVolumeClaim", "data", "ProvisioningFailed", "rpc error: busy")
    waits = event("PersistentVolumeClaim", "data", "ExternalProvisioning", "Waiting for a volume", type="Normal")
    later = event("PersistentVolumeClaim", "data", "ExternalProvisioning", "Waiting", last="2026-01-01T00:01:00Z")
    (trouble,) = found([claim], failed, waits, later)
    assert (trouble.message, trouble.patience) == ("asks for storage class 'fast': rpc error: busy", math.inf)
    (trouble,) = found([claim], waits)
    assert trouble.patience == math.inf


@pytest.mark.parametrize(
    ("waits", "at"),
    [
        pytest.param(thing("Pod", "web-1"), "pod web-1: no node is chosen for it yet", id="unscheduled"),
        pytest.param(
            thing("Pod", "web-1", spec={"nodeName": "node-a"}),
            "pod web-1: node node-a has not begun with it yet",
            id="kubelet is away",
        ),
        pytest.param(
            pod(state=PULLED), f"pod web-1: its volumes are being mounted and image {IMAGE} pulled", id="creating"
        ),
        pytest.param(pod(state={"running": {}}, ready=False), "pod web-1: not ready yet", id="runs"),
        pytest.param(up(), "", id="ready"),
        pytest.param(pod(phase="Succeeded"), "", id="done"),
    ],
)
def test_what_a_pod_is_at(waits: dict[str, Any], at: str) -> None:
    assert waited_for(waits) == at


def test_a_pod_whose_volumes_are_there_pulls() -> None:
    pulls = pod(state=PULLED)
    pulls["status"]["conditions"] = [{"type": "PodReadyToStartContainers", "status": "True"}]
    assert waited_for(pulls) == f"pod web-1: image {IMAGE} is being pulled"


def test_jobs_of_a_schedule_are_nobodys_concern() -> None:
    owner = [{"kind": "CronJob", "name": "nightly", "uid": "c", "controller": True}]
    mark = {"labels": {"app.kubernetes.io/instance": "web"}, "annotations": {}, "ownerReferences": owner}
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    job = thing("Job", "nightly-1", metadata=mark, status={"conditions": [failed]})
    runs = pod("nightly-1-x", owner="Job/nightly-1", state={"running": {}}, ready=True)
    assert found([job, runs]) == []


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
