"""Looking again and again: how long a cause lasts, what is remembered of it, and what only waits."""

from collections.abc import Sequence
from typing import Any

import pytest

from clients.cluster.pods.trouble import Event
from clients.cluster.pods.watch import Watch
from tests.fixtures.made.objects import IMAGE, ended, event, pod, thing, up, waiting
from tests.fixtures.made.scenes import Clock, Moment, Scene


def watching(scene: Scene, clock: Clock | None = None, **options: Any) -> Watch:
    made = Watch("web", namespace="shop", cluster=scene, secrets=["hunter2"], now=clock or Clock(), **options)
    made.begin()
    return made


def told_at(looks: Sequence[tuple[float, Moment | None]], *events: Event, **options: Any) -> list[float]:
    """The seconds at which a look tells a cause that stays; the watch begins before, with nothing there."""
    clock = Clock()
    scene = Scene([[], *(moment for _, moment in looks)], happened=events)
    made = watching(scene, clock, **options)
    found = []
    for clock.at, _ in looks:
        if made.look():
            found.append(clock.at)
    return found


def every(seconds: float, until: float, *moments: Moment) -> list[tuple[float, Moment]]:
    """A look every so many seconds, the moments in turn."""
    count = int(until // seconds) + 1
    return [(each * seconds, moments[each % len(moments)]) for each in range(count)]


def test_a_trouble_has_to_last() -> None:
    """Patience of 30 seconds; a moment without the trouble, or without an answer, is no proof of it."""
    bad = [pod(state=waiting("CreateContainerConfigError", 'secret "db" not found'))]
    looks: list[tuple[float, Moment | None]] = [
        (0, bad), (29, bad), (30, []), (30, bad), (40, None), (59, bad), (60, bad),
    ]  # fmt: skip
    assert told_at(looks) == [60]


def test_a_registry_that_is_away_is_told_though_kubelet_changes_its_mind() -> None:
    """On each try ErrImagePull, between them ImagePullBackOff: 120 seconds of the two together."""
    refused = "dial tcp 10.0.0.1:443: connect: connection refused"
    tries, waits = [pod(state=waiting("ErrImagePull", refused))], [pod(state=waiting("ImagePullBackOff", refused))]
    assert told_at(every(10, 150, tries, waits))[0] == 120


def test_a_node_that_is_away_is_told_for_a_pod_that_says_nothing() -> None:
    gone = thing(
        "Node", "node-a", status={"conditions": [{"type": "Ready", "status": "Unknown", "message": "stopped"}]}
    )
    quiet = [pod()]
    clock = Clock()
    made = watching(Scene([[], quiet], nodes={"node-a": gone}), clock)
    told = None
    while not told and clock.at < 300:
        clock.at += 5
        told = made.look()
    assert clock.at == 140, "15 until it is looked at"
    assert told
    assert told.message == "its node node-a is not ready: stopped"
    assert "kubectl describe node node-a" in told.hint


def test_a_node_that_is_back_is_no_cause() -> None:
    away, back = (
        thing("Node", "node-a", status={"conditions": [{"type": "Ready", "status": each}]})
        for each in ("False", "True")
    )
    clock = Clock()
    scene = Scene([[], [pod()]], nodes={"node-a": away})
    made = watching(scene, clock)
    for clock.at in range(5, 400, 5):
        if clock.at == 100:
            scene.nodes["node-a"] = back
        assert made.look() is None


def test_a_command_that_is_not_there_is_told_though_kubelet_changes_its_mind() -> None:
    no = 'exec: "srv": executable file not found in $PATH'
    never = ended(128, "StartError", message=no)
    moments = [
        [pod(state=waiting("RunContainerError", no))],
        [pod(state=never)],
        [pod(state=waiting("CrashLoopBackOff"), restarts=1, lastState=never)],
    ]
    assert told_at(every(3, 60, *moments))[0] == 30


def test_a_crash_loop_is_told_after_four_restarts_and_a_minute() -> None:
    """kubelet's back-off for one that ends at once: restarts at 0, 10, 30 and 70 seconds."""

    def at(seconds: float) -> Moment:
        restarts = sum(seconds >= each for each in (0, 10, 30, 70))
        runs = seconds in (0, 10, 30, 70)
        state = {"running": {}} if runs else waiting("CrashLoopBackOff")
        return [pod(state=state, restarts=restarts, ready=runs, lastState=ended(2))]

    assert told_at([(each, at(each)) for each in range(0, 81, 5)])[0] == 75


def test_a_crash_loop_that_heals_is_never_told() -> None:
    """Its database comes after 45 seconds; an hour later it ends once, and is not taken for what it was."""
    loops = [pod(state=waiting("CrashLoopBackOff"), restarts=4, lastState=ended(1))]
    runs = [up(restarts=5, lastState=ended(1))]
    once_more = [pod(state=waiting("CrashLoopBackOff"), restarts=5, lastState=ended(1))]
    looks = [*every(5, 40, loops), *((45.0 + each, runs) for each in range(0, 3600, 60)), (3700.0, once_more)]
    assert told_at(looks) == []


def test_a_crash_loop_waits_for_as_long_as_a_pod_beside_it_has_not_begun() -> None:
    loops = pod(state=waiting("CrashLoopBackOff"), restarts=4, lastState=ended(1))
    pulls = pod("db-0", state=waiting("ContainerCreating"), phase="Pending")
    database = up("db-0")
    assert told_at(every(10, 890, [loops, pulls])) == []
    assert told_at([*every(10, 600, [loops, pulls]), (610, [loops, database])]) == [610]


MISSING = 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found'


def mount(count: int, last: str, **more: Any) -> Event:
    return event("Pod", "web-0", "FailedMount", MISSING, count=count, first="2026-01-01T00:00:00Z", last=last, **more)


def test_a_mount_that_goes_on_failing_is_told_after_a_minute() -> None:
    """kubelet tries at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 and 63.5 seconds."""
    stuck = [pod("web-0", state=waiting("ContainerCreating"), phase="Pending")]
    clock, scene = Clock(), Scene([[], stuck])
    made = watching(scene, clock)
    found = []
    for clock.at in range(0, 100, 3):
        tries = [each for each in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5) if each <= clock.at]
        scene.happened = (mount(len(tries), f"2026-01-01T00:{int(tries[-1]) // 60:02}:{int(tries[-1]) % 60:02}Z"),)
        if made.look():
            found.append(clock.at)
    assert found[0] == 60


def test_a_mount_that_failed_once_has_healed() -> None:
    """A failed look-up in kubelet's cache; then an image of gigabytes, of which kubelet says nothing."""
    stuck = [pod("web-0", state=waiting("ContainerCreating"), phase="Pending")]
    assert told_at(every(3, 890, stuck), mount(1, "2026-01-01T00:00:00Z")) == []


def test_a_secret_that_has_come_is_not_missing_any_more() -> None:
    """kubelet only takes its time, up to two minutes, to look again."""
    stuck = [pod(state=waiting("CreateContainerConfigError", 'secret "db" not found'))]
    clock, scene = Clock(), Scene([[], stuck])
    made = watching(scene, clock)
    made.look()
    clock.at = 31
    scene.there = {("secret", "db")}
    assert made.look() is None
    scene.there.clear()
    assert made.look()


def test_the_mount_that_failed_for_the_last_pod_of_this_name_is_history() -> None:
    stuck = [pod("web-0", uid="2", state=waiting("ContainerCreating"), phase="Pending")]
    stale = mount(9, "2026-01-01T00:10:00Z", uid="1")
    assert told_at(every(3, 300, stuck), stale) == []


def test_pods_that_were_refused_before_the_upgrade_are_history() -> None:
    """The StatefulSet is the same one, and the quota has been raised."""
    refused = event("StatefulSet", "db", "FailedCreate", "is forbidden: exceeded quota: small")
    lacking = [thing("StatefulSet", "db", spec={"replicas": 1})]
    clock, scene = Clock(), Scene([lacking], happened=(refused,))
    made = watching(scene, clock)
    clock.at = 31
    assert made.look() is None
    scene.happened = (event("StatefulSet", "db", "FailedCreate", refused.message, count=2),)
    made.look()
    clock.at = 62
    assert made.look()


def test_the_last_words_are_told_with_secrets_masked() -> None:
    bad = [pod(state=waiting("RunContainerError", "no"), restarts=9)]
    scene = Scene([[], bad], {("web-1", False): "start\n\x1b[31mlogin with hunter2 refused\n"})
    scene.happened = (
        event("Pod", "web-1", "BackOff", "Back-off restarting hunter2"),
        event("Pod", "web-1", "Scheduled", "to node-a", type="Normal"),
    )
    clock = Clock()
    made = watching(scene, clock)
    made.look()
    clock.at = 30
    assert str(made.look()).splitlines() == [
        "pod web-1: RunContainerError: container 'web' can't start: no",
        "  events:",
        "    BackOff: Back-off restarting ***",
        "  last log lines:",
        "    start",
        "    login with *** refused",
    ]


def test_what_is_not_steady_is_told_with_secrets_masked() -> None:
    made = watching(Scene([[], [pod(state=ended(1, message="login with hunter2 refused"))]]))
    made.look()
    assert made.unsteady() == ("pod web-1: its container 'web' ended with exit code 1: login with *** refused",)


def test_of_a_crash_loop_the_last_run_is_heard() -> None:
    bad = [pod(state=waiting("CrashLoopBackOff"), restarts=9, lastState=ended(1))]
    made = watching(Scene([[], bad], {("web-1", True): "before\n", ("web-1", False): "now\n"}))
    made.look()
    assert made.suspects()[0].log == ("before",)


def test_what_a_hook_said_is_kept_when_its_pod_is_gone() -> None:
    hook = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-install"}})
    failed = pod("migrate-x", owner="Job/migrate", state={"terminated": {"exitCode": 1}})
    looks = watching(Scene([[], [hook, failed], []], {("migrate-x", False): "no such table\n"}))
    assert looks.suspects() == ()
    assert looks.look() is None
    assert looks.look() is None
    suspect = looks.suspects()[0]
    assert (suspect.name, suspect.log) == ("migrate-x", ("no such table",))


def test_last_words_are_kept_when_they_can_not_be_read_again() -> None:
    bad = [pod(state=waiting("RunContainerError", "no such file"))]
    scene, clock = Scene([[], bad], {("web-1", False): "usage: web\n"}), Clock()
    looks = watching(scene, clock)
    assert looks.look() is None
    scene.said.clear()
    clock.at = 30
    trouble = looks.look()
    assert trouble
    assert trouble.log == ("usage: web",)


def test_the_log_of_what_waits_is_fetched_now_and_then_and_at_the_end() -> None:
    waits = [pod(state={"running": {}}, ready=False)]
    scene, clock = Scene([[], waits], {("web-1", False): "connecting to db:3306\n"}), Clock()
    made = watching(scene, clock)
    fetched = []
    for clock.at in range(0, 31, 3):
        made.look()
        if scene.asked:
            fetched.append(clock.at)
            scene.asked.clear()
    assert fetched == [12, 27], "what is ready within ten seconds costs nothing"
    assert made.progress().endswith("is not ready; its last log line: connecting to db:3306")
    scene.said["web-1", False] = "still connecting\n"
    made.look(last=True)
    assert made.suspects()[0].log == ("still connecting",)


def test_a_pod_from_before_is_told_and_ends_no_wait() -> None:
    """What was wrong before is what the upgrade may cure; but what is not ready has a reason."""
    old = [pod(state=waiting("InvalidImageName", "x"))]
    clock, scene = Clock(), Scene([old])
    made = watching(scene, clock)
    for clock.at in (0, 600):
        assert made.look() is None
    assert made.suspects()[0].message == f"'{IMAGE}' is no image name: x"


def test_in_a_rollback_the_older_pods_are_what_has_to_come_up() -> None:
    failed_hook = thing(
        "Job",
        "migrate",
        metadata={"annotations": {"helm.sh/hook": "pre-upgrade"}},
        status={"conditions": [{"type": "Failed", "status": "True"}]},
    )
    clock, scene = Clock(), Scene([[failed_hook, pod(state=waiting("InvalidImageName", "x"))]])
    made = Watch("web", namespace="shop", cluster=scene, now=clock, floor=30)
    made.begin(anew=False)
    assert made.look() is None, "pods of the revision that failed go in a moment"
    clock.at = 30
    trouble = made.look()
    assert trouble
    assert trouble.kind == "pod", "the hook of the upgrade is none of the rollback"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param(
            [
                thing("Deployment", "web", spec={"replicas": 1}),
                pod(state=waiting("ContainerCreating"), phase="Pending"),
            ],
            "deployment web: 0 of 1 replicas updated; "
            f"pod web-1: its volumes are being mounted and image {IMAGE} pulled",
            id="begins",
        ),
        pytest.param(
            [pod(state=waiting("CrashLoopBackOff"), restarts=1, lastState=ended(2)), pod("web-2", state=ended(2))],
            "pod web-1: container 'web' ended 2 times, last by Error with exit code 2 (and 1 more)",
            id="troubles",
        ),
        pytest.param(None, "the cluster does not answer: away", id="away"),
    ],
)
def test_what_is_waited_for_is_one_line(moment: Moment | None, expected: str) -> None:
    made = watching(Scene([[], moment]))
    made.look()
    assert made.progress() == expected


def test_an_account_that_may_not_see_pods_sees_workloads() -> None:
    moment = [thing("Deployment", "web", spec={"replicas": 1}), pod(state=waiting("InvalidImageName"))]
    made = watching(Scene([moment], forbidden=frozenset({"pods"})))
    assert made.look() is None
    assert made.lacking() == ("deployment web: 0 of 1 replicas updated",)
    assert made.unsteady() == ()


def test_what_can_not_be_looked_at_is_not_ready() -> None:
    made = watching(Scene([None]))
    assert made.lacking() == ("the cluster does not tell: away",)
    assert not made.is_refused
    made = watching(Scene([[]], forbidden=frozenset({"pods", "jobs.batch"})))
    assert made.is_refused


def stateful(**spec: Any) -> dict[str, Any]:
    return thing("StatefulSet", "web", spec=spec, status={"updateRevision": "web-2"})


def member(revision: str, **state: Any) -> dict[str, Any]:
    made = pod("web-0", owner="StatefulSet/web", **state)
    made["metadata"]["labels"] = {"controller-revision-hash": revision}
    return made


@pytest.mark.parametrize(
    ("objects", "freed"),
    [
        pytest.param([stateful(), member("web-1", state=waiting("ErrImagePull"))], True, id="never began"),
        pytest.param(
            [stateful(), member("web-1", state=waiting("CrashLoopBackOff"), lastState=ended())], True, id="ended again"
        ),
        pytest.param([stateful(), member("web-1", state={"running": {}}, ready=False)], False, id="still recovers"),
        pytest.param([stateful(), member("web-1", state={"running": {}}, ready=True)], False, id="is up"),
        pytest.param([stateful(), member("web-2", state=waiting("ErrImagePull"))], False, id="is the wanted one"),
        pytest.param(
            [stateful(podManagementPolicy="Parallel"), member("web-1", state=waiting("ErrImagePull"))],
            False,
            id="all at once",
        ),
        pytest.param(
            [stateful(updateStrategy={"type": "OnDelete"}), member("web-1", state=waiting("ErrImagePull"))],
            False,
            id="by hand",
        ),
        pytest.param([pod("web-0", state=waiting("ErrImagePull"))], False, id="of no StatefulSet"),
    ],
)
def test_a_pod_that_its_stateful_set_waits_for_in_vain_is_removed_once(
    objects: list[dict[str, Any]], freed: bool
) -> None:
    scene = Scene([objects])
    made = watching(scene)
    for _ in range(2):
        made.look()
        made.free()
    assert [each for each in scene.asked if each.startswith("delete")] == (["delete pod web-0"] if freed else [])
