"""What is waited for, how it is told, and which ends a wait early."""

import threading
from typing import Any

import pytest

from bundle.errors import ClusterError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.watch import Watch
from clients.cluster.waiting import Answers, await_ready, let_hooks_end, looking_after
from clients.programs.process import Completed
from tests.fixtures.made.objects import ended, event, pod, thing, up, waiting
from tests.fixtures.made.scenes import Clock, Moment, Scene

DEPLOYMENT = thing("Deployment", "web", spec={"replicas": 1}, status={"readyReplicas": 1, "updatedReplicas": 1})
LACKING = thing("Deployment", "web", spec={"replicas": 1}, status={"updatedReplicas": 1})
READY: Moment = [DEPLOYMENT, up()]
LOOPS: Moment = [LACKING, pod(state=waiting("CrashLoopBackOff"), restarts=4, lastState=ended(2))]


def wait(scene: Scene, **options: Any) -> tuple[float, list[str]]:
    """Seconds until it is ready, and what was said meanwhile."""
    clock, said = Clock(), list[str]()
    watching = Watch("web", namespace="shop", cluster=scene, now=clock)
    given = {"timeout": 600.0, "interval": 3.0, **options}
    await_ready(watching, **given, say=said.append, now=clock, pause=clock.sleep)
    return clock.at, said


def refused(scene: Scene, **options: Any) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        wait(scene, **options)
    return caught.value


def test_ready_is_ready_for_some_time() -> None:
    at, said = wait(Scene([READY]))
    assert at == 30
    assert said[1] == "pod web-1: ready for 3 s; it counts as ready after 30 s"
    assert wait(Scene([READY]), steady=0)[0] == 0


def test_a_container_that_ends_after_twenty_seconds_is_not_ready() -> None:
    """It is ready at each look until then, as helm saw it; and then again and again."""
    moments: list[Moment | None] = [READY] * 7
    err = refused(Scene([*moments, LOOPS]))
    assert err.what == (
        "release 'web' is deployed, but its pods fail: pod web-1: CrashLoopBackOff: container 'web' ended 5 times, "
        "last by Error with exit code 2"
    )


def test_pods_that_fail_for_good_end_the_wait_for_an_address() -> None:
    asked = []

    def ask() -> Answers:
        asked.append(1)
        return [("http https://web.test: connection refused", "look at it")]

    scene, clock = Scene([LOOPS]), Clock()
    with pytest.raises(ReleaseError):
        await_ready(
            Watch("web", namespace="shop", cluster=scene, now=clock), timeout=900, ask=ask, now=clock, pause=clock.sleep
        )
    assert clock.at == 60
    assert asked == []


def test_an_address_has_to_answer_twice_in_a_row() -> None:
    """Right after an upgrade an old pod may answer once more, or the new one once too early."""
    bad: Answers = [("its version is old", "")]
    answers: list[Answers] = [bad, (), bad, (), ()]
    at, _ = wait(Scene([READY]), steady=0, ask=lambda: answers.pop(0))
    assert (at, answers) == (12.0, [])


def test_what_is_not_ready_in_time_is_told_line_by_line() -> None:
    """With what the probe says and the last log lines; no `next:` in the middle."""
    probed = pod(state={"running": {}}, ready=False)
    scene = Scene([[LACKING, probed]], {("web-1", False): "connecting to db:3307\n"})
    scene.happened = (event("Pod", "web-1", "Unhealthy", "Readiness probe failed: statuscode: 404"),)
    err = refused(scene, timeout=30.0)
    assert str(err).splitlines() == [
        "release 'web' is deployed, but not healthy after 30 s:",
        "  deployment web: 0 of 1 replicas ready",
        "  pod web-1: it is not ready",
        "  pod web-1: NotReady: container 'web' runs, but is not ready: Readiness probe failed: statuscode: 404",
        "    events:",
        "      Unhealthy: Readiness probe failed: statuscode: 404",
        "    last log lines:",
        "      connecting to db:3307",
        "  next: correct what the probe asks for in the values, or what keeps the container from answering",
    ]


def test_answers_that_are_wrong_are_told_with_the_first_next_step() -> None:
    answers: Answers = [("http https://a: connection refused", "open it"), ("http https://b: another status", "look")]
    err = refused(Scene([READY]), timeout=30.0, ask=lambda: answers)
    assert str(err).splitlines() == [
        "release 'web' is deployed, but not healthy after 30 s:",
        "  http https://a: connection refused",
        "  http https://b: another status",
        "  next: open it",
    ]


def test_what_may_not_be_looked_at_is_told_at_once() -> None:
    with pytest.raises(ClusterError, match="may not list"):
        wait(Scene([READY], forbidden=frozenset({"pods", "jobs.batch"})))


def test_a_cluster_that_is_away_is_waited_for() -> None:
    assert wait(Scene([None, None, None, READY]), steady=0)[0] == 6
    assert "the cluster does not tell: away" in refused(Scene([None])).what


def test_looking_after_says_what_is_waited_for() -> None:
    said: list[str] = []
    done = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        done.set()

    watching = Watch("web", namespace="shop", cluster=Scene([[LACKING]]))
    with looking_after(watching, [], 0.001, say):
        assert done.wait(10)
    assert said[0] == "deployment web: 0 of 1 replicas ready"


HOOK = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-upgrade"}}, status={"active": 1})
WORKS = pod("migrate-x", owner="Job/migrate", state={"running": {}}, ready=True, phase="Running")


def hooks(scene: Scene, listed: str = "kind: Job\nmetadata: {name: migrate}\n") -> tuple[float, list[str], bool]:
    clock, said = Clock(), list[str]()

    def runner(argv: list[str], **_: Any) -> Completed:
        assert argv[1:4] == ["get", "hooks", "web"]
        return Completed(code=0, stdout=listed.encode(), stderr="")

    there = let_hooks_end(
        Helm("helm", runner=runner),
        Watch("web", namespace="shop", cluster=scene, now=clock),
        timeout=900,
        interval=3,
        say=said.append,
        now=clock,
        pause=clock.sleep,
    )
    return clock.at, said, there


def test_a_hook_job_of_an_earlier_run_is_let_end() -> None:
    ends = {**HOOK, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    moments: list[Moment | None] = [[HOOK, WORKS]] * 10
    at, said, there = hooks(Scene([*moments, [ends]], {("migrate-x", False): "altering table runs\n"}))
    assert (at, there) == (30, True)
    assert said[0] == "hook job migrate of an earlier run, which is not cut off: it is at work"
    assert said[-1].endswith("container 'web' still runs; its last log line: altering table runs")


def test_a_hook_job_that_does_not_end_is_never_deleted() -> None:
    with pytest.raises(ReleaseError, match="hook job migrate of an earlier run is still at work after 900 s") as caught:
        hooks(Scene([[HOOK, WORKS]]))
    assert "kubectl logs job/migrate --namespace shop" in caught.value.hint


@pytest.mark.parametrize(
    ("moment", "listed"),
    [
        pytest.param([], "", id="none"),
        pytest.param([HOOK, WORKS], "kind: Job\nmetadata: {name: seed}\n", id="another release's"),
        pytest.param(None, "", id="nobody answers"),
    ],
)
def test_nothing_to_wait_for(moment: Moment | None, listed: str) -> None:
    assert hooks(Scene([moment]), listed) == (0, [], False)
