"""Releases while they are looked after: what ends a wait, what is told then, and what has become of the release."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import AirgapError, ClusterError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.watch import Watch
from clients.cluster.rollout import install_release, remove_release, return_to
from clients.programs.process import Completed
from tests.fixtures.made.objects import IMAGE, event, past, pod, thing, up, waiting
from tests.fixtures.made.scenes import Clock, Scene

READY = [thing("Deployment", "web", spec={"replicas": 1}, status={"readyReplicas": 1, "updatedReplicas": 1}), up()]
DOWN = [pod(state=waiting("InvalidImageName", "bad"))]
TIMED_OUT = "Error: UPGRADE FAILED: timed out waiting for the condition"


class Answers:
    """Stands for helm: an upgrade waits until it is cancelled, or fails by itself; what is asked is noted.

    `history` are the statuses of the revisions after that; `failing` are commands that fail.
    """

    def __init__(self, *history: str, waits: bool = False, said: str = TIMED_OUT, failing: Sequence[str] = ()) -> None:
        self.waits = waits
        self.said = said
        self.history = [*history]
        self.failing = failing
        self.asked: list[str] = []

    def __call__(self, argv: Sequence[str], *, cancelled: Callable[[], bool], **_: Any) -> Completed:
        command = argv[1]
        self.asked.append(" ".join(argv[1:]))
        if command in self.failing:
            return Completed(code=1, stdout=b"", stderr=f"Error: {command} did not do")
        match command:
            case "version":
                return Completed(code=0, stdout=b"v4.2.4", stderr="")
            case "upgrade":
                pause = threading.Event()
                while self.waits and not cancelled():
                    pause.wait(0.005)
                return Completed(code=1, stdout=b"", stderr=self.said)
            case "history":
                if not self.history:
                    return Completed(code=1, stdout=b"", stderr="Error: release: not found")
                return Completed(code=0, stdout=json.dumps(past(*self.history)).encode(), stderr="")
            case "rollback":
                self.history.append("deployed")
        return Completed(code=0, stdout=b"", stderr="")

    @property
    def done(self) -> list[str]:
        """What was asked that changes something."""
        return [each.partition(" --")[0] for each in self.asked if each.startswith(("rollback", "uninstall"))]


def install(
    scene: Scene, runner: Answers, *, before: int = 0, interval: float = 0.005, said: list[str] | None = None
) -> AirgapError:
    with pytest.raises(AirgapError) as caught:
        install_release(
            Helm("helm", runner=runner),
            Watch("web", namespace="shop", cluster=scene),
            Path("/c.tgz"),
            before=before,
            values=Path("/v"),
            timeout=60,
            interval=interval,
            say=(said if said is not None else []).append,
        )
    return caught.value


def test_helm_is_stopped_by_a_cause_that_stays() -> None:
    runner = Answers("failed", waits=True, said="Error: INSTALLATION FAILED: context canceled")
    told = install(Scene([[], DOWN]), runner)
    assert told.what.splitlines() == [
        f"release 'web' does not come up: pod web-1: InvalidImageName: '{IMAGE}' is no image name: bad",
        "  what was installed of it was removed again",
    ]
    assert told.hint == "correct the image in the values: repository and tag"
    assert runner.done == ["uninstall web"]


def test_an_upgrade_is_taken_back_by_us_and_looked_after() -> None:
    """helm itself would wait for that, in silence, for another quarter of an hour."""
    said: list[str] = []
    runner = Answers("deployed", "failed", waits=True)
    told = install(Scene([[], *[DOWN] * 20, READY]), runner, before=1, said=said)
    assert told.what.endswith("\n  rolled back to revision 1 (shop-1)")
    assert runner.done == ["rollback web 1"]
    assert not [each for each in runner.asked if "--atomic" in each or "rollback-on-failure" in each]
    assert not [each for each in runner.asked if each.startswith("rollback") and "--wait" in each]
    assert any(each.startswith("rolling back: ") for each in said)


def test_what_came_up_neither_before_nor_after_is_told_with_both_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.cluster.rollout._SETTLING", 0.0)
    old = pod("web-0", state=waiting("InvalidImageName", "old"))
    runner = Answers("deployed", "failed", waits=True)
    told = install(Scene([[old], [old, *DOWN], [old, *DOWN], [old, *DOWN], [old, *DOWN], [old]]), runner, before=1)
    assert "does not come up: pod web-1: InvalidImageName" in told.what
    assert "rolled back to revision 1 (shop-1), which does not come up either: " in told.what
    assert "pod web-0: InvalidImageName" in told.what


@pytest.mark.parametrize(
    ("history", "before", "failing", "command"),
    [
        pytest.param(
            ["deployed", "pending-upgrade"], 1, ["rollback"], "helm rollback web 1 --namespace shop", id="back"
        ),
        pytest.param(["pending-install"], 0, ["uninstall"], "helm uninstall web --namespace shop", id="removed"),
    ],
)
def test_a_release_is_never_left_pending_without_the_command_that_frees_it(
    history: list[str], before: int, failing: list[str], command: str
) -> None:
    told = install(Scene([[]]), Answers(*history, failing=failing), before=before)
    assert f"it could not be taken back, it is {history[-1]} at revision {len(history)}" in told.what
    assert f"the next install puts it right, or by hand: {command}" in told.what


def test_a_release_that_was_never_well_is_left() -> None:
    runner = Answers("failed", "failed")
    told = install(Scene([[]]), runner, before=1)
    assert "it is left failed at revision 2: none before it was ever deployed" in told.what
    assert runner.done == []


@pytest.mark.parametrize(
    ("history", "before"),
    [
        pytest.param([], 0, id="nothing was made"),
        pytest.param(["failed"], 1, id="it failed before"),
        pytest.param(["deployed"], 1, id="it is as it was"),
    ],
)
def test_what_helm_has_not_begun_is_not_undone(history: list[str], before: int) -> None:
    runner = Answers(*history, said="Error: execution error at (x): host is required")
    told = install(Scene([[]]), runner, before=before)
    assert told.what == "release 'web': execution error at (x): host is required"
    assert runner.done == []


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
    told = install(scene, Answers("failed"), interval=60)
    assert "job migrate: BackoffLimitExceeded: hook failed: reached" in told.what
    assert "no such table" in told.what


def test_a_job_that_hangs_is_told_with_its_last_lines() -> None:
    """Gathered before anything is removed, though nothing is wrong with it but that it runs."""
    hook = thing("Job", "migrate", metadata={"annotations": {"helm.sh/hook": "pre-install"}}, status={"active": 1})
    runs = pod("migrate-x", owner="Job/migrate", state={"running": {}}, ready=True)
    scene = Scene([[], [hook, runs]], {("migrate-x", False): "waiting for db.site.test:3307\n"})
    told = install(scene, Answers("failed", said="Error: failed pre-install: timed out waiting"), interval=60)
    assert "pod migrate-x: Running: container 'web' still runs" in told.what
    assert "    waiting for db.site.test:3307" in told.what
    assert told.hint.endswith("if it is only slow, raise the release's timeout")


@pytest.mark.parametrize("state", [{"state": {"running": {}}, "ready": False}, {"state": waiting("ErrImagePull", "x")}])
def test_what_is_not_up_is_not_why_helm_was_refused(state: dict[str, Any]) -> None:
    told = install(
        Scene([[], [pod(**state)]]), Answers("failed", said="Error: UPGRADE FAILED: field is immutable"), interval=60
    )
    assert told.what.startswith("release 'web': UPGRADE FAILED: field is immutable")


def test_others_that_do_not_come_up_are_named_too() -> None:
    objects = [pod("web-1", state=waiting("InvalidImageName", "a")), pod("web-2", state={"running": {}}, ready=False)]
    told = install(Scene([[], objects]), Answers("failed"), interval=60)
    assert "\n  also: pod web-2: container 'web' runs, but is not ready" in told.what


def test_helms_own_failure_stays_as_it_is_when_nothing_was_seen() -> None:
    told = install(Scene([None]), Answers(said="Error: INSTALLATION FAILED: it was uninstalled"))
    assert told.what == "release 'web': INSTALLATION FAILED: it was uninstalled"


def test_a_cluster_that_is_gone_leaves_the_rest_to_the_next_run() -> None:
    told = install(Scene([None]), Answers(said=TIMED_OUT, failing=["history"]))
    assert "it is not known what became of it" in told.what
    assert "the next install looks at it, and puts it right" in told.what


def test_a_rollback_waits_until_it_is_ready_and_says_why_not() -> None:
    scene = Scene([DOWN, DOWN, READY])
    runner = Answers("superseded", "deployed")
    return_to(Helm("helm", runner=runner), Watch("web", namespace="shop", cluster=scene), 1, timeout=9, interval=0.001)
    assert runner.done == ["rollback web 1"]
    lacking = thing("Deployment", "web", spec={"replicas": 1})
    with pytest.raises(ReleaseError, match="not healthy after 0 s:\n  deployment web: 0 of 1 replicas updated"):
        return_to(
            Helm("helm", runner=runner),
            Watch("web", namespace="shop", cluster=Scene([[lacking]])),
            1,
            timeout=0,
            interval=0.001,
        )


def test_a_rollback_that_helm_refuses_is_told_with_the_command() -> None:
    runner = Answers("deployed", "deployed", failing=["rollback"])
    with pytest.raises(ReleaseError, match="rollback did not do") as caught:
        return_to(Helm("helm", runner=runner), Watch("web", namespace="shop", cluster=Scene([READY])), 1, timeout=9)
    assert caught.value.hint == "by hand: helm rollback web 1 --namespace shop"


def ended_after(seconds: float, grace: int | None = None) -> tuple[tuple[str, ...], float]:
    """What of a release is left, and after how long, when its pod ends so many seconds after helm has removed it."""
    goes = up()
    goes["spec"] |= {} if grace is None else {"terminationGracePeriodSeconds": grace}
    clock, scene = Clock(), Scene([[goes]])

    def pause(given: float) -> None:
        clock.sleep(given)
        if clock.at >= seconds:
            scene.moments[:] = [[]]

    watching = Watch("web", namespace="shop", cluster=scene, now=clock)
    left = remove_release(Helm("helm", runner=Answers()), watching, timeout=900, interval=3, now=clock, pause=pause)
    return left, clock.at


def test_what_is_removed_has_ended() -> None:
    assert ended_after(15) == ((), 15)
    assert ended_after(600) == (("pod web-1",), 45), "half a minute of grace, and some more"
    assert ended_after(100, grace=120) == ((), 102)


def test_removing_does_not_wait_for_what_nobody_sees() -> None:
    watching = Watch("web", namespace="shop", cluster=Scene([None]))
    assert remove_release(Helm("helm", runner=Answers()), watching, timeout=900) == ()


def test_a_refusal_that_changed_nothing_stays_what_it_is() -> None:
    forbidden = (
        'Error: secrets is forbidden: User "me" cannot list resource "secrets" in API group "" in the namespace "a"'
    )
    told = install(Scene([[]]), Answers(said=forbidden))
    assert isinstance(told, ClusterError)
    assert told.reason == "forbidden"


def test_events_of_the_wait_are_kept() -> None:
    scene = Scene([[], DOWN], happened=(event("Pod", "web-1", "InspectFailed", "couldn't parse"),))
    assert "    InspectFailed: couldn't parse" in install(scene, Answers("failed", waits=True)).what
