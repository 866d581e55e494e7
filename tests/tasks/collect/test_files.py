"""Other files: pinned, checked against their pin, brought into the bundle."""

import hashlib
import os

import pytest

from bundle.errors import IntegrityError, LockError, SourceError
from tasks.collect import files
from tasks.runtime.project import Project
from tests.fixtures.benches.connected import connected
from tests.fixtures.benches.receiving import named
from tests.fixtures.benches.workbench import Workbench


def step(project: Project, name: str = "note.txt") -> None:
    named(files.file_steps(project))[f"file:{name}"].action()


def test_it_is_pinned_and_brought(bench: Workbench) -> None:
    project = connected(bench)
    (found,) = files.file_steps(project)
    assert found.inputs() is None
    with pytest.raises(LockError, match=r"file 'note\.txt' is not pinned"):
        files.digests(project)
    found.action()
    (target,) = found.outputs()
    assert target.read_text() == "read me\n"
    pinned = files.digests(project)["files/note.txt"]
    assert pinned.matches(b"read me\n")
    assert files.file_entry(project, project.spec.files[0]).digest == pinned
    inputs = found.inputs()
    assert inputs
    assert inputs["sha256"] == str(pinned)
    assert found.local == [bench.place / "note.txt"]


def test_a_changed_file_is_refused_until_it_is_locked(bench: Workbench) -> None:
    step(connected(bench))
    (bench.place / "note.txt").write_text("other\n")
    with pytest.raises(LockError, match=r"note\.txt now has sha256:.*, the lock pins sha256:") as caught:
        step(connected(bench))
    assert "doit lock" in caught.value.hint


def test_a_sum_in_the_spec_is_what_counts(bench: Workbench) -> None:
    bench.spec["files"] = [{"name": "note.txt", "source": "note.txt", "sha256": hashlib.sha256(b"other\n").hexdigest()}]
    bench.write()
    with pytest.raises(IntegrityError, match=r"file 'note\.txt'"):
        step(connected(bench))
    (bench.place / "note.txt").write_text("other\n")
    step(connected(bench))


def test_a_tool_is_a_copy_that_can_be_executed(bench: Workbench) -> None:
    bench.spec["files"] = [{"name": "note.txt", "source": "note.txt", "tool": True}]
    bench.write()
    project = connected(bench)
    step(project)
    target = project.tree / "files/note.txt"
    cached = project.store.path(files.digests(project)["files/note.txt"])
    assert os.access(target, os.X_OK)
    assert not target.samefile(cached)
    assert not cached.stat().st_mode & 0o111


def test_a_remote_file_needs_a_sum(bench: Workbench) -> None:
    bench.spec["files"] = [{"name": "x", "source": "https://127.0.0.1:1/x", "sha256": "0" * 64}]
    bench.write()
    project = connected(bench)
    with pytest.raises(SourceError, match="file 'x'"):
        step(project, "x")
    assert not (bench.place / "airgap.lock").exists()


def test_clean_takes_the_cached_one_too(bench: Workbench) -> None:
    project = connected(bench)
    step(project)
    (found,) = files.file_steps(project)
    assert found.clean
    paths = list(found.clean())
    assert len(paths) == 2
    assert all(path.is_file() for path in paths)
