"""Images into a Docker Engine, where one is used."""

from pathlib import Path

from tasks.install.load import load_steps

from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import named, receiving


def test_without_an_engine_there_is_nothing_to_load(receiver: Receiver) -> None:
    assert list(load_steps(receiver)) == []


def test_each_image_is_loaded_after_the_bundle_was_checked(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", engine="docker")
    steps = named(load_steps(receiver))
    assert list(steps) == ["load:one", "load:two"]
    for step in steps.values():
        assert tuple(step.after) == ("verify", "preflight")
        assert step.live
        assert step.undo
        assert step.undo.made() == (), "nothing is asked to tell what there is"


def test_it_is_asked_what_the_engine_has(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", engine="docker")
    asked: list[str] = []

    class Engine:
        def not_loaded(self, entry: object) -> str:
            asked.append(f"look {entry.name}")  # type: ignore[attr-defined]
            return "it is not loaded"

        def load(self, entry: object, step: str) -> str:
            asked.append(f"{step} {entry.name}")  # type: ignore[attr-defined]
            return "loaded"

    receiver.crossing.__dict__["engine"] = Engine()
    step = named(load_steps(receiver))["load:one"]
    assert step.ready() == "it is not loaded"
    step.action()
    assert asked == ["look one", "load:one one"]
    assert receiver.project.notes["load:one"] == "loaded"
