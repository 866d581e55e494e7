"""Which objects are a release's, and which of them are ready."""

from collections.abc import Sequence
from typing import Any

import pytest

from clients.cluster.pods.workloads import NamespaceState, unready
from tests.fixtures.made.objects import event, pod, thing


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


def test_events_are_those_of_the_object_and_not_of_its_name() -> None:
    """web-0 comes again and again, and what was wrong with the last one is kept for an hour."""
    made = pod("web-0", uid="2", created="2026-01-01T01:00:00Z")
    mine = event("Pod", "web-0", "FailedMount", "now", uid="2", last="2026-01-01T00:59:59Z")
    earlier = event("Pod", "web-0", "FailedMount", "before", uid="1", last="2026-01-01T02:00:00Z")
    unnamed = event("Pod", "web-0", "Odd", "without uid", uid="", last="2026-01-01T02:00:00Z")
    old = event("Pod", "web-0", "Odd", "without uid, of before", uid="", last="2026-01-01T00:00:00Z")
    other = event("Job", "web-0", "Odd", "of another kind", uid="2")
    state = NamespaceState.of([made], [mine, earlier, unnamed, old, other])
    assert state.about(made) == (mine, unnamed)


def test_what_is_waited_for_counts_no_hook_and_no_schedule() -> None:
    label = {"app.kubernetes.io/instance": "web"}
    schedule = [{"kind": "CronJob", "name": "nightly", "uid": "c", "controller": True}]
    objects = [
        thing("Deployment", "web", spec={"replicas": 1}),
        thing("Job", "hook", metadata={"annotations": {"helm.sh/hook": "pre-install"}, "labels": label}),
        thing("Job", "nightly-1", metadata={"annotations": {}, "labels": label, "ownerReferences": schedule}),
        thing("Job", "other", metadata={"annotations": {"meta.helm.sh/release-name": "other"}}),
        thing("Job", "once"),
    ]
    assert NamespaceState.of(objects, ()).lacking("web") == (
        "deployment web: 0 of 1 replicas updated",
        "job once: not complete yet",
    )
