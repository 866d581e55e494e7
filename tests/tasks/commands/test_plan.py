"""`doit plan bundle` says what then runs, and the bytes."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from doit.task import Task

from clients.preflight.findings import Finding
from schema.values.changes import value_changes
from tasks.commands.plan import Plan, Planned, _by_reason
from tasks.commands.plan_install import InstallPlan, ReleasePlan
from tasks.runtime.step import NOT_KNOWN
from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.images.images import image, layer
from tests.fixtures.made.published import faults


@pytest.mark.parametrize("change", ["nothing", "fresh", "blob", "image", "archive", "tag"])
def test_plan_is_what_then_runs(bench: Workbench, change: str) -> None:
    if change != "fresh":
        bundled(bench)
    images = bench.spec["images"]
    bundle = bench.spec["bundle"]
    assert isinstance(images, list)
    assert isinstance(bundle, dict)
    if change == "blob":
        (
            bench.place
            / ".airgap/cache/blobs/sha256"
            / image(layer("base", 20_000), layer("one", 5_000)).descriptor.digest.hex
        ).unlink()
    elif change == "image":
        images.append({"name": "three", "source": "oci:images/one", "target": "three:1.0"})
    elif change == "archive":
        bundle["archive"] = True
    elif change == "tag":
        images[0]["target"] = "renamed:1"
    bench.write()
    planned, seen = bench.watched("plan", "bundle", "--json", "--exit-code")
    assert seen == [], "a plan writes nothing and asks nobody"
    assert faults("plan", planned.out) == []
    steps = json.loads(planned.out)["steps"]
    due = sorted(step["step"] for step in steps if step["run"])
    assert planned.code == (1 if due else 0)
    assert all(step["reason"] for step in steps if step["run"])
    assert bench.doit("bundle").steps == due
    assert (due == []) == (change == "nothing")


def test_plan_tells_the_bytes_to_fetch(bench: Workbench) -> None:
    assert "whose size is not known before it is pinned" in bench.doit("plan", "bundle").out
    bench.doit("pin")
    size = sum(pin["size"] for pin in json.loads((bench.place / "airgap.lock").read_text())["images"].values())
    assert json.loads(bench.doit("plan", "bundle", "--json").out)["bytes_at_most"] == size
    bundled(bench)
    blob = bench.place / ".airgap/cache/blobs/sha256" / hashlib.sha256(layer("one", 5_000).data).hexdigest()
    size = blob.stat().st_size
    blob.unlink()
    assert json.loads(bench.doit("plan", "bundle", "--json").out)["bytes_to_fetch"] == size


def test_plan_names_the_local_files_that_changed(bench: Workbench) -> None:
    bundled(bench)
    (bench.place / "note.txt").write_text("other\n")
    (bench.place / "chart/values.yaml").write_text("a: 1\n")
    out = bench.doit("plan", "bundle").out
    assert f"{bench.place / 'note.txt'} changed" in out
    assert f"{bench.place / 'chart/values.yaml'} was added" in out


class Counted(list[Any]):
    """Tasks that count how often they are gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[Any]:
        self.rounds += 1
        return super().__iter__()


@pytest.mark.parametrize("count", [3, 300])
def test_the_tasks_are_gone_through_as_often_however_many_there_are(count: int) -> None:
    tasks = Counted(Task(f"t{number}", [partial(list)]) for number in range(count))
    plan = Plan.__new__(Plan)
    plan.task_list = tasks
    fresh = SimpleNamespace(status="up-to-date", reasons={})
    plan.dep_manager = SimpleNamespace(get_status=lambda task, all_tasks, get_log: fresh)
    steps = list(plan._steps([task.name for task in list.__iter__(tasks)]))
    assert len(steps) == count
    assert tasks.rounds == 4


def test_a_reason_is_told_once_and_releases_tell_their_own() -> None:
    due = [
        *(Planned(name=f"push:{number}", reason="no answer") for number in range(40)),
        *(Planned(name=f"secret:{number}", reason=NOT_KNOWN) for number in range(2)),
        Planned(name="values:app", reason="values changed"),
        Planned(name="action:enroll", reason="has not run yet"),
    ]
    release = ReleasePlan(name="app", change="upgrade", chart="app-1")
    plan = InstallPlan(images={}, bytes_to_send=0, releases=(release,), unknown=("no answer",))
    assert list(_by_reason(due, plan)) == [
        f"push (40), secret (2)        {NOT_KNOWN}",
        "action:enroll                has not run yet",
    ]


def test_the_schema_is_that_of_an_install_too() -> None:
    values = value_changes({"a": 1, "b": "x"}, {"a": 2}, secret=[("a",)], is_known=lambda _: False)
    release = ReleasePlan(name="app", change="upgrade", chart="app-1.0.0", values=values, reasons=("chart changed",))
    finding = Finding(subject="release 'app'", what="no")
    plan = InstallPlan(images={"one": 1}, bytes_to_send=1, releases=(release,), unknown=("x",), findings=(finding,))
    printed = {"format": 1, "steps": [Planned(name="s", reason="").to_dict()], **plan.to_dict()}
    assert faults("plan", json.dumps(printed)) == []
    for wrong in ({"bytes_to_fetch": 1, "bytes_at_most": 1}, {"more": 1}, {"sites": []}):
        assert faults("plan", json.dumps({**printed, **wrong}))
    sites = {"site": "a", "plan": printed, "problem": ""}, {"site": "b", "plan": None, "problem": "no route"}
    assert faults("plan", json.dumps({"format": 1, "sites": sites})) == []
    assert faults("plan", json.dumps({"format": 1, "sites": [{**sites[0], "plan": {"format": 1}}]}))
