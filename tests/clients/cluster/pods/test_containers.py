"""What the status of one container says: how it ended, how often, what it misses, and whose words tell why."""

import math
from typing import Any

import pytest

from clients.cluster.pods.containers import (
    container_troubles,
    ended_words,
    ends,
    has_begun,
    is_fault,
    last_end,
    missing_object,
    pull_secrets,
    statuses,
)
from clients.cluster.pods.trouble import Patience
from tests.fixtures.made.objects import ended, event, pod, waiting

RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
WAITS = {"waiting": {"reason": "ContainerCreating"}}


def status(state: dict[str, Any], *, restarts: int = 0, last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "web", "state": state, "restartCount": restarts, "lastState": last or {}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (status(WAITS), "ended"),
        (status(ended(3)), "ended with exit code 3"),
        (status(ended(137, "OOMKilled")), "ended by OOMKilled, with exit code 137"),
        (status(RUNS, restarts=1, last=ended(1)), "ended with exit code 1"),
        (status(ended(1), restarts=2), "ended 3 times, last by Error with exit code 1"),
        (status(RUNS, restarts=2, last=ended(1)), "ended 2 times, last by Error with exit code 1"),
        (status(WAITS, restarts=4), "ended 5 times"),
    ],
)
def test_how_it_ended(found: dict[str, Any], words: str) -> None:
    assert ended_words(found) == words


def test_what_it_wrote_at_its_end_is_told() -> None:
    end = {"terminated": {"exitCode": 2, "reason": "Error", "message": "no\x1b[31m db\n"}}
    assert ended_words(status(end)) == "ended with exit code 2: no db"


def test_one_that_runs_has_ended_as_often_as_it_was_started_again() -> None:
    assert [ends(status(RUNS, restarts=count)) for count in (0, 2)] == [0, 2]
    assert [ends(status(WAITS, restarts=count)) for count in (0, 2)] == [1, 3]


def test_its_last_end_is_the_one_that_it_is_at() -> None:
    assert last_end(status(ended(1), last=ended(2)))["exitCode"] == 1
    assert last_end(status(RUNS, last=ended(2)))["exitCode"] == 2
    assert last_end(status(RUNS)) == {}


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        ({}, False),
        ({"exitCode": 0, "reason": "Completed"}, False),
        ({"exitCode": 1}, True),
        ({"exitCode": 0, "reason": "OOMKilled"}, True),
    ],
)
def test_which_ends_are_faults(end: dict[str, Any], fault: bool) -> None:
    assert is_fault(end) is fault


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ('secret "db" not found', ("secret", "db")),
        ('MountVolume.SetUp failed for volume "x" : configmap "kube.root" not found', ("configmap", "kube.root")),
        ('persistentvolumeclaim "data" not found', ("persistentvolumeclaim", "data")),
        ('serviceaccount "me" not found', None),
        ('secret "db" is forbidden', None),
        ("", None),
    ],
)
def test_what_a_message_misses(message: str, found: tuple[str, str] | None) -> None:
    assert missing_object(message) == found


def test_init_containers_come_first() -> None:
    made = {"status": {"containerStatuses": [{"name": "web"}], "initContainerStatuses": [{"name": "init"}]}}
    assert [each["name"] for each in statuses(made)] == ["init", "web"]
    assert statuses({}) == statuses({"status": {"containerStatuses": None}}) == ()


@pytest.mark.parametrize(
    ("found", "begun"),
    [
        (status(WAITS), False),
        (status(RUNS), True),
        (status(ended(0)), True),
        (status(WAITS, restarts=1), True),
        (status(WAITS, last=ended(1)), True),
    ],
)
def test_a_pod_has_begun_with_its_first_container(found: dict[str, Any], begun: bool) -> None:
    waits = {**status(WAITS), "name": "other"}
    assert has_begun({"status": {"containerStatuses": [waits, found]}}) is begun


def test_pull_secrets_of_a_pod() -> None:
    assert pull_secrets({"spec": {"imagePullSecrets": [{"name": "a"}, {}, {"name": "b"}]}}) == ("a", "b")
    assert pull_secrets({"spec": {}}) == ()


def test_each_container_is_told_by_its_own_name() -> None:
    made = pod(state=waiting("CreateContainerConfigError", 'secret "db" not found'))
    other = {**made["status"]["containerStatuses"][0], "name": "init"}
    made["status"]["initContainerStatuses"] = [other]
    found = list(container_troubles(made, [], Patience()))
    assert [each.container for each in found] == ["init", "web"]
    assert [each.awaits for each in found] == [("secret", "db")] * 2
    assert found[0].message.startswith("init container 'init' can't start: ")


def test_an_event_about_another_container_says_nothing_of_this_one() -> None:
    made = pod(state=RUNS)
    made["status"]["containerStatuses"][0]["ready"] = False
    for name, said in (("other", ""), ("web", ": Readiness probe failed")):
        failed = event("Pod", "web-1", "Unhealthy", "Readiness probe failed", container=name)
        (found,) = container_troubles(made, [failed], Patience())
        assert found.message == f"container 'web' runs, but is not ready{said}"


@pytest.mark.parametrize(
    ("events", "pulled"),
    [
        ([], True),
        ([("Pulling", "01")], False),
        ([("Pulling", "01"), ("Pulled", "01")], True),
        ([("Pulling", "01"), ("Failed", "02")], True),
        ([("Failed", "02"), ("BackOff", "03"), ("Pulling", "04")], False),
    ],
)
def test_a_pull_that_has_begun_is_waited_for(events: list[tuple[str, str]], pulled: bool) -> None:
    made = pod(state=WAITS)
    made["status"]["containerStatuses"][0]["image"] = "registry.internal:5000/web:1"
    about = [
        event("Pod", "web-1", reason, "", container="web", type="Normal", last=f"2026-01-01T00:00:{second}Z")
        for reason, second in (*events, ("Pulled", "00"))
    ]
    about.append(event("Pod", "web-1", "Pulling", "", container="other", last="2026-01-01T00:00:09Z"))
    found = list(container_troubles(made, about, Patience()))
    if pulled:
        assert found == []
        return
    (trouble,) = found
    assert trouble.message == "image registry.internal:5000/web:1 is being pulled"
    assert trouble.hint == "see that the nodes reach registry.internal:5000, and how fast"
    assert (trouble.waits, trouble.patience) == (True, math.inf)
