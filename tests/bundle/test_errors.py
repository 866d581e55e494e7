"""What the errors of the file system are told as."""

import errno
from pathlib import Path

import pytest

from bundle.errors import StorageError, storage_errors


@pytest.mark.parametrize(
    ("place", "file", "told"),
    [
        pytest.param(Path("a"), None, "can't write it: a: No space left on device", id="the place"),
        pytest.param(Path("a"), "b", "can't write it: b: No space left on device", id="the file that failed"),
        pytest.param(Path(), None, "can't write it: No space left on device", id="no place"),
    ],
)
def test_where_it_failed(place: Path, file: str | None, told: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("write it", place):
        raise OSError(errno.ENOSPC, "full", file)
    assert caught.value.what == told
    assert "free some space" in caught.value.hint


def test_storage_errors_name_place_and_next_step(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"can't write image 'x': .*gone: No such file"),
        storage_errors("write image 'x'", tmp_path),
    ):
        (tmp_path / "gone").read_bytes()
    with pytest.raises(StorageError) as caught, storage_errors("write", tmp_path):
        raise OSError(28, "No space left on device")
    assert "out=DIR or state=DIR" in caught.value.hint
