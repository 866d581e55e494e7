"""A bundle on another file system than the cache: each blob is written there once, and then never again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import make

IMAGES = [f"i{number}" for number in range(8)]  # all on one base layer
OTHER = Path("/dev/shm")


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    if not OTHER.is_dir() or OTHER.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system: /dev/shm is none")
    with tempfile.TemporaryDirectory(dir=OTHER) as place:
        yield Path(place)


def test_each_blob_is_written_once_and_the_next_run_writes_nothing(tmp_path: Path, stick: Path) -> None:
    bench = make(tmp_path / "project", images=IMAGES)
    first, seen = bench.watched("bundle", f"out={stick}")
    assert first.code == 0, first.out + first.err
    blobs = [path for path in (stick / "app-1.0" / "images" / "blobs" / "sha256").iterdir() if path.is_file()]
    assert len(blobs) == 1 + 3 * len(IMAGES)
    for blob in blobs:
        copies = [event for event in seen if event.startswith(f"write {stick}") and blob.name in event]
        assert len(copies) == 1, f"{blob.name} was written {len(copies)} times"
    for _ in range(2):
        again, seen = bench.watched("bundle", f"out={stick}")
        assert (again.code, again.steps) == (0, [])
        assert seen == []
    for blob in blobs:
        places = {path.stat().st_ino for path in stick.rglob(blob.name)}
        assert places == {blob.stat().st_ino}, "what grows and what is finished share their bytes there"
