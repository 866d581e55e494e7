"""The one reading of a bundle: when it is due, what it sends, and that nothing follows a bundle that is not good."""

import shutil
from pathlib import Path

import pytest

from bundle.errors import BundleError
from tasks.install.push import push_steps
from tasks.site.receiver import Receiver
from tasks.transfer.record import lie, note_whole
from tasks.transfer.step import transfer_steps
from tests.fixtures.benches.receiving import named, receiving, run
from tests.fixtures.servers.faulty_registry import FaultyRegistry


@pytest.fixture
def bundle(carried_bundle: Path, tmp_path: Path) -> Path:
    """One that a test may damage."""
    return shutil.copytree(carried_bundle, tmp_path / "medium" / carried_bundle.name)


@pytest.fixture
def receiver(bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    return receiving(bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")


def test_it_is_due_until_all_is_compared_and_inside(
    receiver: Receiver, bundle: Path, tmp_path: Path, faulty: FaultyRegistry
) -> None:
    (step,) = transfer_steps(receiver)
    assert (step.task_name, tuple(step.after)) == ("transfer", ("verify", "preflight"))
    assert step.ready() == "not every file of the bundle was compared since it came, or was changed"
    note_whole(receiver, lie(receiver))
    assert step.ready().endswith(" are not in the registry")
    step.action()
    assert step.ready() == "", "the blobs are there, though no image is named yet"
    assert not faulty.manifests
    assert "all checksums match" in receiver.project.notes["transfer"]
    assert " sent" in receiver.project.notes["transfer"]
    run(named(push_steps(receiver)))
    assert {tag for _, tag in faulty.manifests if not tag.startswith("sha256:")} == {"1.0", "1.0.0"}
    assert receiver.project.notes["push:one"].endswith(" sent")
    again = receiving(bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    assert named(transfer_steps(again))["transfer"].ready() == ""


def test_a_bundle_whose_blobs_are_inside_is_only_compared(receiver: Receiver, faulty: FaultyRegistry) -> None:
    (step,) = transfer_steps(receiver)
    step.action()
    sent = len(faulty.requests("PATCH "))
    step.action()
    assert len(faulty.requests("PATCH ")) == sent
    assert "nothing was lacking inside" in receiver.project.notes["transfer"]


def test_all_that_is_bad_is_told_and_nothing_noted(receiver: Receiver, bundle: Path, faulty: FaultyRegistry) -> None:
    blob = max((bundle / "images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    (bundle / "files/note.txt").write_text("other")
    (step,) = transfer_steps(receiver)
    with pytest.raises(BundleError) as caught:
        step.action()
    told = str(caught.value)
    assert (
        f"damaged: images/blobs/sha256/{blob.name} (of image 'one', image 'two'): expected sha256:{blob.name}" in told
    )
    assert "damaged: files/note.txt (of file 'note.txt')" in told
    assert "is damaged (2 found" in told
    assert "nothing was installed" in told
    assert "inside: " in told
    assert step.ready().startswith("not every file")
    assert blob.name not in {digest.partition(":")[2] for _, digest in faulty.uploads.held}
    assert not faulty.manifests


def test_what_this_run_has_compared_is_not_read_again(
    receiver: Receiver, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    receiver.carried.bundle.read("files/note.txt")
    real = Path.open

    def watching(path: Path, *args: object, **more: object) -> object:
        opened.append(path.name)
        return real(path, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watching)
    (step,) = transfer_steps(receiver)
    step.action()
    assert "airgap.pyz" in opened
    assert "note.txt" not in opened
