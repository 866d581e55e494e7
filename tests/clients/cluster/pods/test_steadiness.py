"""How long pods have to stay ready, over several looks."""

from datetime import UTC, datetime
from typing import Any

import pytest

from clients.cluster.pods.steadiness import Steadiness, glance
from clients.cluster.pods.workloads import NamespaceState
from tests.fixtures.made.objects import ended, pod, thing, up, waiting
from tests.fixtures.made.scenes import Clock

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOREVER = "9999-01-01T00:00:00Z"  # has only just started, whatever the clock says


def lacking(*looks: tuple[float, dict[str, Any]], wanted: float | None = None) -> list[str]:
    """What a pod lacks at each of these looks."""
    clock = Clock()
    steadiness = Steadiness(now=clock, clock=lambda: NOW)
    found = []
    for clock.at, each in looks:
        steadiness.note([each])
        found.append("; ".join(steadiness.lacking([each], wanted)))
    return found


def ready_at(*looks: tuple[float, dict[str, Any]], wanted: float | None = None) -> list[bool]:
    return [not each for each in lacking(*looks, wanted=wanted)]


def test_a_probe_needs_ten_seconds_and_nothing_thirty() -> None:
    probed, bare = up(probes=True), up()
    assert ready_at((0, probed), (9, probed), (10, probed)) == [False, False, True]
    assert ready_at((0, bare), (10, bare), (29, bare), (30, bare)) == [False, False, False, True]
    assert lacking((0, bare), (4, bare))[1] == "pod web-1: ready for 4 s; it counts as ready after 30 s"


def test_the_spec_may_say_how_long() -> None:
    assert ready_at((0, up()), (59, up()), (60, up()), wanted=60) == [False, False, True]
    assert ready_at((0, up()), wanted=0) == [True]
    assert lacking((0, pod(state=waiting("CrashLoopBackOff"))), wanted=0) != [""]


def test_a_container_that_was_ready_for_twenty_seconds_and_ended() -> None:
    """Ready at two looks, restarted at once by kubelet, and ready again: it begins anew, and has to last longer."""
    first, again = up(), up(restarts=1, lastState=ended(2, ran=20))
    looks = [(at, first) for at in range(0, 20, 5)] + [(at, again) for at in range(20, 65, 5)]
    found = lacking(*looks)
    assert all(found[:-1])
    assert found[-2] == (
        "pod web-1: ready for 35 s, its container 'web' ended with exit code 2; it counts as ready after 40 s"
    )
    assert found[-1] == ""


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"state": waiting("CrashLoopBackOff"), "lastState": ended(1), "restarts": 3}, id="loop"),
        pytest.param({"state": ended(137, "OOMKilled")}, id="memory"),
        pytest.param({"state": waiting("ContainerCreating")}, id="creating"),
        pytest.param({"state": {"running": {}}, "ready": False}, id="not ready"),
    ],
)
def test_what_is_not_ready_begins_anew(state: dict[str, Any]) -> None:
    down = pod(**state)
    assert ready_at((0, up()), (20, down), (30, up()), (59, up()), (60, up())) == [False, False, False, False, True]


def test_one_that_was_there_before_and_goes_on_is_steady_at_once() -> None:
    old = up(restarts=7, lastState=ended(1))
    steadiness = Steadiness(now=Clock(), clock=lambda: NOW)
    steadiness.begin([old])
    steadiness.note([old])
    assert steadiness.lacking([old]) == ()
    once_more = up(restarts=8, lastState=ended(1))
    steadiness.note([once_more])
    assert steadiness.lacking([once_more]) != ()


def test_one_that_runs_for_long_by_its_own_times_is_steady_at_once() -> None:
    """A look of its own, hours after the install; minutes are left for clocks that differ."""
    assert ready_at((0, up(started="2026-01-01T11:00:00Z"))) == [True]
    assert ready_at((0, up(started="2026-01-01T11:59:00Z"))) == [False]
    assert ready_at((0, up(started=FOREVER))) == [False]


def glanced(*objects: dict[str, Any]) -> tuple[str, ...]:
    return glance(NamespaceState.of(objects, ()), "web", NOW)


DEPLOYMENT = thing("Deployment", "web", spec={"replicas": 1}, status={"readyReplicas": 1, "updatedReplicas": 1})


def test_one_look_says_what_is_not_well() -> None:
    assert glanced(DEPLOYMENT, up()) == ()
    loops = pod(state=waiting("CrashLoopBackOff"), restarts=3, lastState=ended(2))
    assert glanced({**DEPLOYMENT, "status": {"updatedReplicas": 1}}, loops) == (
        "deployment web: 0 of 1 replicas ready",
        "pod web-1: its container 'web' ended 4 times, last by Error with exit code 2",
    )
    pulls = pod(state=waiting("ImagePullBackOff"))
    assert glanced(pulls) == ("pod web-1: its container 'web' waits: ImagePullBackOff",)


def test_one_look_sees_a_container_between_two_ends() -> None:
    """Without a probe it is ready for that instant."""
    end = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T11:58:00Z"}}
    assert glanced(DEPLOYMENT, up(restarts=2, lastState=end)) == (
        "pod web-1: its container 'web' ended 2 times, last by OOMKilled with exit code 137",
    )
    long_ago = {"terminated": {**end["terminated"], "finishedAt": "2026-01-01T09:00:00Z"}}
    assert glanced(DEPLOYMENT, up(restarts=2, lastState=long_ago)) == ()


def test_one_look_at_what_is_nobodys_concern() -> None:
    """Pods of jobs and hooks, pods that end or have ended, and those of others."""
    job = thing("Job", "once", status={"conditions": [{"type": "Complete", "status": "True"}]})
    hook = thing("Job", "hook", metadata={"annotations": {"helm.sh/hook": "pre-install"}})
    going = pod("web-0", state=ended(1))
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    evicted = thing("Pod", "web-2", status={"phase": "Failed", "reason": "Evicted"})
    other = thing("Pod", "other", metadata={"annotations": {"meta.helm.sh/release-name": "other"}})
    assert (
        glanced(
            job,
            hook,
            pod("once-x", owner="Job/once", state=ended(1)),
            pod("hook-x", owner="Job/hook"),
            going,
            evicted,
            other,
        )
        == ()
    )
