"""Why releases do not come up, from objects as clusters tell them, and how long each cause may last."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ClusterError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.pods.trouble import Event
from clients.cluster.rollout import Watch, install_release, unready_workloads, watch
from clients.programs.process import Completed
from tests.fixtures.made.objects import IMAGE, event, pod, thing, waiting


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
