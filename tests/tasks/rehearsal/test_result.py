"""What a rehearsal found, and what its inner half is given: each as JSON and back, and as a table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import FormatError
from tasks.rehearsal.result import STEPS, RehearsalResult, Scene, step_mark

SCENE = Scene(
    place=Path("/w"), carried=Path("/w/app"), program=Path("/w/app/airgap.pyz"), directory=Path("/p"),
    cache=Path("/p/cache"), site=Path("/p/site.yaml"), trust=Path("/p/trust"), assets=Path("/a"),
    kubeconfig=Path("/k"), marks=Path("/m"), use=("db", "mail.host"), jobs=3,
)  # fmt: skip
RESULT = RehearsalResult(
    bundle={"name": "app", "version": "1", "id": "sha256:1", "sums": "sha256:2"}, target="a registry, no cluster",
    proven=("a", "b"), not_proven=("c",), failures=("it failed\nnext: do this\n  and that", "again"),
    outside=("192.0.2.7:443",),
)  # fmt: skip


@pytest.mark.parametrize(
    "scene",
    [SCENE, replace(SCENE, site=None, trust=None, assets=None, kubeconfig=None, use=())],
    ids=["all is given", "as little as can be"],
)
def test_a_scene_round_trips(scene: Scene) -> None:
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))) == scene


def test_a_result_round_trips() -> None:
    data = json.loads(json.dumps(RESULT.to_dict()))
    assert data["passed"] is False
    assert RehearsalResult.from_dict(data) == RESULT
    assert replace(RESULT, failures=()).to_dict()["passed"] is True


@pytest.mark.parametrize("version", [2, None, "1"])
def test_another_format_is_refused(version: object) -> None:
    with pytest.raises(FormatError, match=f"has format {version!r}, expected 1"):
        RehearsalResult.from_dict({**RESULT.to_dict(), "format": version})


def test_what_was_tried_outside_is_no_verdict_of_its_own() -> None:
    assert replace(RESULT, failures=()).passed


def test_the_table() -> None:
    assert list(RESULT.rows()) == [
        "  proven      a",
        "  proven      b",
        "  not proven  c",
        "  FAILED      it failed",
        "              next: do this",
        "              and that",
        "  FAILED      again",
    ]


def test_a_line_says_which_step_of_how_many() -> None:
    assert [step_mark(step) for step in (STEPS[0], STEPS[-1])] == ["[1/6 bundle]", "[6/6 receipt]"]
