"""Why releases do not come up, from objects as clusters tell them, and how long each cause may last."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ClusterError, ReleaseError
from clients.cluster._causes import causes, pull_fault
from clients.cluster._trouble import Event, Patience, Trouble
from clients.cluster._workloads import NamespaceState, unready
from clients.cluster.helm import Helm
from clients.cluster.rollout import Watch, install_release, unready_workloads, watch
from clients.programs.process import Completed

IMAGE = "registry.test/shop/web:2"
HELM_MARK = {"meta.helm.sh/release-name": "web"}


def thing(kind: str, name: str, *, owner: str = "", uid: str = "", **more: Any) -> dict[str, Any]:
    """An object; without an owner it is the release's own. `owner` is KIND/NAME."""
    metadata: dict[str, Any] = {"name": name, "uid": uid or f"{kind}/{name}", **more.pop("metadata", {})}
    if owner:
        metadata["ownerReferences"] = [
            {"kind": owner.partition("/")[0], "name": owner.partition("/")[2], "uid": owner, "controller": True}
        ]
    elif "annotations" not in metadata:
        metadata["annotations"] = HELM_MARK
    return {"kind": kind, "metadata": metadata, "spec": {}, "status": {}, **more}


def pod(name: str = "web-1", *, owner: str = "", uid: str = "", restarts: int = 0, **state: Any) -> dict[str, Any]:
    container = {"name": "web", "image": IMAGE, "restartCount": restarts, "state": state.pop("state", {}), **state}
    spec = {"containers": [{"name": "web"}]}
    return thing("Pod", name, owner=owner, uid=uid, spec=spec, status={"containerStatuses": [container]})


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def event(kind: str, name: str, reason: str, message: str) -> Event:
    return Event(kind=kind, name=name, type="Warning", reason=reason, message=message, last="2026-01-01T00:00:00Z")


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


def names(objects: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]] = ()) -> list[str]:
    members = NamespaceState.of(objects, ()).members("web", before=NamespaceState.of(before, ()))
    return [each["metadata"]["name"] for each in members]


def test_whose_an_object_is() -> None:
    """By helm's mark on the outermost owner, else by the label of charts; hooks have neither."""
    ours = [
        thing("Deployment", "web"),
        thing("ReplicaSet", "web-7", owner="Deployment/web"),
        pod("web-7-a", owner="ReplicaSet/web-7"),
        thing("Job", "hook", metadata={"annotations": {"helm.sh/hook": "pre-install"}}),
        pod("hook-a", owner="Job/hook"),
        thing(
            "PersistentVolumeClaim", "c", metadata={"annotations": {}, "labels": {"app.kubernetes.io/instance": "web"}}
        ),
    ]
    label = {"app.kubernetes.io/instance": "other"}
    theirs = [
        thing("Deployment", "x", metadata={"annotations": {"meta.helm.sh/release-name": "other"}}),
        pod("x-a", owner="Deployment/x"),
        thing("Job", "y", metadata={"annotations": {"helm.sh/hook": "pre-install"}, "labels": label}),
        thing("Pod", "nobody", metadata={"annotations": {}}),
    ]
    assert names([*ours, *theirs]) == [each["metadata"]["name"] for each in ours]


def test_pods_and_hooks_from_before_are_not_this_upgrades() -> None:
    hook = {"annotations": {"helm.sh/hook": "pre-upgrade"}}
    before = [pod("old"), thing("Job", "migrate", metadata=hook, uid="1"), thing("Deployment", "web")]
    now = [*before, pod("new"), thing("Job", "migrate", metadata=hook, uid="2")]
    assert names(now, before) == ["web", "new", "migrate"]


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


DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
DAEMONS = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "lack"),
    [
        pytest.param("Deployment", {"replicas": 2}, DONE, "", id="ready"),
        pytest.param("Deployment", {"replicas": 0}, {"observedGeneration": 2}, "", id="none-wanted"),
        pytest.param("Deployment", {"replicas": 2}, {**DONE, "observedGeneration": 1}, "not taken up", id="unseen"),
        pytest.param(
            "Deployment", {"replicas": 2}, {**DONE, "updatedReplicas": 1}, "1 of 2 replicas updated", id="old"
        ),
        pytest.param(
            "Deployment", {"replicas": 2}, {**DONE, "readyReplicas": 1}, "1 of 2 replicas ready", id="unready"
        ),
        pytest.param("Deployment", {"replicas": 2}, {**DONE, "replicas": 3}, "1 old replicas still end", id="ending"),
        pytest.param(
            "StatefulSet", {}, {"observedGeneration": 2, "updatedReplicas": 1}, "0 of 1 replicas ready", id="set"
        ),
        pytest.param(
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            {**DONE, "updatedReplicas": 0},
            "",
            id="by-hand",
        ),
        pytest.param("DaemonSet", {}, DAEMONS, "", id="daemons"),
        pytest.param("DaemonSet", {}, {**DAEMONS, "numberReady": 1}, "1 of 2 replicas ready", id="a-daemon"),
        pytest.param("Job", {}, COMPLETE, "", id="job"),
        pytest.param("Job", {}, {}, "not complete yet", id="job-runs"),
        pytest.param("Job", {"suspend": True}, {}, "", id="job-suspended"),
        pytest.param(
            "Job",
            {},
            {"conditions": [{"type": "Failed", "status": "True", "reason": "X"}]},
            "failed: X",
            id="job-failed",
        ),
    ],
)
def test_readiness(kind: str, spec: dict[str, Any], status: dict[str, Any], lack: str) -> None:
    told = unready(thing(kind, "web", metadata={"generation": 2}, spec=spec, status=status))
    assert told.startswith(f"{kind.lower()} web: " if lack else "")
    assert lack in told
    assert bool(told) == bool(lack)


@dataclass(slots=True)
class Scene:
    """A cluster that shows one moment after another, and its logs. None is a moment when it does not answer."""

    moments: list[list[dict[str, Any]] | None]
    said: dict[tuple[str, bool], str] = field(default_factory=dict)
    warnings: tuple[Event, ...] = ()

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        assert namespace == "shop"
        moment = self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]
        if moment is None:
            raise ClusterError("away", reason="unreachable")
        return moment

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        return self.warnings

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        if (pod, previous) not in self.said:
            raise ClusterError("no log", reason="not found")
        return self.said[pod, previous]


def watching(scene: Scene, times: Sequence[float] = ()) -> Watch:
    clock = iter(times)
    now = (lambda: next(clock)) if times else (lambda: 0.0)
    made = Watch("web", namespace="shop", cluster=scene, secrets=["hunter2"], now=now)
    made.begin()
    return made


def test_a_trouble_has_to_last() -> None:
    """Patience of 30 seconds; a moment without the trouble, or without an answer, is no proof of it."""
    bad = [pod(state=waiting("CreateContainerConfigError", 'secret "db" not found'))]
    look = watching(Scene([[], bad, bad, [], bad, None, bad, bad]), times=[0, 29, 30, 40, 69, 70]).look
    assert [bool(look()) for _ in range(7)] == [False, False, False, False, False, False, True]


def test_the_last_words_are_told_with_secrets_masked() -> None:
    bad = [pod(state=waiting("CrashLoopBackOff"), restarts=9)]
    scene = Scene([[], bad], {("web-1", True): "start\nlogin with hunter2 refused\n"})
    scene.warnings = (event("Pod", "web-1", "BackOff", "Back-off restarting hunter2"),)
    trouble = watching(scene).look()
    assert str(trouble).splitlines() == [
        "pod web-1: CrashLoopBackOff: container 'web' ended 9 times",
        "  events:",
        "    BackOff: Back-off restarting ***",
        "  last log lines:",
        "    start",
        "    login with *** refused",
    ]


def test_what_a_hook_said_is_kept_when_its_pod_is_gone() -> None:
    hook = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-install"}})
    failed = pod("migrate-x", owner="Job/migrate", state={"terminated": {"exitCode": 1}})
    looks = watching(Scene([[], [hook, failed], []], {("migrate-x", False): "no such table\n"}))
    assert looks.suspect() is None
    assert looks.look() is None
    assert looks.look() is None
    suspect = looks.suspect()
    assert suspect
    assert (suspect.name, suspect.log) == ("migrate-x", ("no such table",))


def test_last_words_are_kept_when_they_can_not_be_read_again() -> None:
    bad = [pod(state=waiting("RunContainerError", "no such file"))]
    scene = Scene([[], bad], {("web-1", False): "usage: web\n"})
    looks = watching(scene, times=[0, 30])
    assert looks.look() is None
    scene.said.clear()
    trouble = looks.look()
    assert trouble
    assert trouble.log == ("usage: web",)


def test_watching_ends_with_its_release() -> None:
    stop = threading.Event()

    def look() -> None:
        stop.set()

    assert watch(look, stop, interval=0.001) is None


class Answers:
    """Stands for helm: waits until it is cancelled, or fails by itself."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits

    def __call__(self, argv: Sequence[str], *, cancelled: Callable[[], bool], **_: Any) -> Completed:
        if "version" in argv:
            return Completed(code=0, stdout=b"v4.2.4", stderr="")
        pause = threading.Event()
        while self.waits and not cancelled():
            pause.wait(0.005)
        return Completed(code=1, stdout=b"", stderr="Error: INSTALLATION FAILED: it was uninstalled")


def install(scene: Scene, runner: Any, *, interval: float = 0.005) -> str:
    helm = Helm("helm", runner=runner)
    with pytest.raises(ReleaseError) as caught:
        install_release(
            helm,
            Watch("web", namespace="shop", cluster=scene),
            "web",
            Path("/c.tgz"),
            namespace="shop",
            values=Path("/v"),
            timeout=60,
            interval=interval,
        )
    assert caught.value.hint or not runner.waits
    return caught.value.what


def test_helm_is_stopped_by_a_cause_that_stays() -> None:
    told = install(Scene([[], [pod(state=waiting("InvalidImageName", "bad"))]]), Answers(waits=True))
    assert told.startswith(
        f"release 'web' does not come up: pod web-1: InvalidImageName: '{IMAGE}' is no image name: bad"
    )
    assert told.endswith("helm: release 'web': INSTALLATION FAILED: it was uninstalled")


def test_a_hook_that_failed_before_the_first_look_is_found_in_what_is_left() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "reached"}
    hook = thing(
        "Job",
        "migrate",
        metadata={"annotations": {"helm.sh/hook": "pre-install"}},
        status={"conditions": [condition]},
    )
    left = pod("migrate-x", owner="Job/migrate")
    scene = Scene([[], [hook, left]], {("migrate-x", False): "no such table\n"})
    told = install(scene, Answers(waits=False), interval=60)
    assert "job migrate: BackoffLimitExceeded: hook failed: reached" in told
    assert "no such table" in told


def test_helms_own_failure_stays_as_it_is_when_nothing_was_seen() -> None:
    assert install(Scene([None]), Answers(waits=False)) == "release 'web': INSTALLATION FAILED: it was uninstalled"


def test_what_of_a_release_is_not_ready() -> None:
    objects = [
        thing("Deployment", "web", spec={"replicas": 1}),
        thing("Job", "other", metadata={"annotations": {"meta.helm.sh/release-name": "other"}}),
    ]
    assert unready_workloads(Scene([objects]), "web", namespace="shop") == ("deployment web: 0 of 1 replicas updated",)
