"""Hook jobs of an earlier run: which of them must not be cut off."""

from typing import Any

import pytest

from clients.cluster.pods.hooks import hooks_at_work, unlabelled_hooks
from clients.cluster.pods.workloads import NamespaceState
from tests.fixtures.made.objects import ended, pod, thing, waiting

COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True"}]}


def job(name: str = "migrate", hook: str = "pre-upgrade", label: str = "", **more: Any) -> dict[str, Any]:
    labels = {"labels": {"app.kubernetes.io/instance": label}} if label else {}
    return thing("Job", name, metadata={"annotations": {"helm.sh/hook": hook}, **labels}, **more)


def works(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod("migrate-x", owner="Job/migrate", state=state, **more)


@pytest.mark.parametrize(
    ("objects", "at_work"),
    [
        pytest.param([job(), works({"running": {}}, phase="Running")], True, id="its container runs"),
        pytest.param([job(), works(waiting("ContainerCreating"), phase="Pending")], True, id="is about to begin"),
        pytest.param([job(status={"active": 1})], True, id="its pod is not seen"),
        pytest.param([job()], False, id="has no pod"),
        pytest.param([job(), works(ended(1), phase="Failed")], False, id="waits for its next try"),
        pytest.param([job(), works(waiting("ErrImagePull", "not found"), phase="Pending")], False, id="can't begin"),
        pytest.param([job(status=COMPLETE), works({"running": {}})], False, id="is complete"),
        pytest.param([job(status=FAILED), works(ended(1))], False, id="has failed"),
        pytest.param([job(hook="test"), works({"running": {}})], False, id="only a test"),
        pytest.param([thing("Job", "migrate"), works({"running": {}})], False, id="no hook"),
    ],
)
def test_what_is_at_work(objects: list[dict[str, Any]], at_work: bool) -> None:
    state = NamespaceState.of(objects, ())
    assert bool(hooks_at_work(state, "web", frozenset({"migrate"}))) is at_work


@pytest.mark.parametrize(
    ("label", "names", "ours"),
    [
        pytest.param("web", frozenset(), True, id="by label"),
        pytest.param("other", frozenset({"migrate"}), False, id="another's"),
        pytest.param("", frozenset({"migrate"}), True, id="by name"),
        pytest.param("", frozenset({"seed"}), False, id="not by name"),
        pytest.param("", None, True, id="nobody knows"),
    ],
)
def test_whose_it_is(label: str, names: frozenset[str] | None, ours: bool) -> None:
    state = NamespaceState.of([job(label=label), works({"running": {}})], ())
    assert bool(hooks_at_work(state, "web", names)) is ours
    assert unlabelled_hooks(state) is (not label)
