"""The mark of a verified blob: it holds until the file is changed, or until a reboot."""

import os
from pathlib import Path

import pytest

from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage import marks
from bundle.storage.marks import SECOND, is_marked, mark, mark_of, mark_until_reboot, unmark

DATA = b"a blob"
BLOB = Descriptor(media_type="x", digest=Digest.of(DATA), size=len(DATA))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    return path


def test_marked_is_what_was_marked_as_this_blob(path: Path) -> None:
    assert not is_marked(path, BLOB)
    mark(path, BLOB.digest)
    assert is_marked(path, BLOB)
    other = Digest.of(b"b blob")
    assert mark_of(other) != mark_of(BLOB.digest)
    assert not is_marked(path, Descriptor(media_type="x", digest=other, size=len(DATA)))
    assert not is_marked(path, Descriptor(media_type="x", digest=BLOB.digest, size=len(DATA) + 1))


def test_fat_keeps_the_mark() -> None:
    """Its times are even seconds."""
    assert all(mark_of(Digest.of(bytes([number]))) % 2 == 0 for number in range(50))


def test_what_is_written_afterwards_is_not_marked(path: Path) -> None:
    mark(path, BLOB.digest)
    path.write_bytes(b"A blob")
    assert not is_marked(path, BLOB)


def test_what_is_not_there_is_not_marked(path: Path) -> None:
    path.unlink()
    assert not is_marked(path, BLOB)


def test_a_mark_until_reboot_is_good_in_this_boot_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "this_boot", lambda: 7)
    assert mark_until_reboot(path, BLOB.digest)
    assert path.stat().st_mtime_ns == mark_of(BLOB.digest) * SECOND + 7
    assert is_marked(path, BLOB)
    monkeypatch.setattr(marks, "this_boot", lambda: 8)
    assert not is_marked(path, BLOB)


def test_where_boots_can_not_be_told_apart_nothing_is_marked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "this_boot", lambda: 0)
    assert not mark_until_reboot(path, BLOB.digest)
    assert not is_marked(path, BLOB)


def test_a_file_system_with_whole_seconds_keeps_no_mark_until_reboot(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounded(path: Path, ns: tuple[int, int]) -> None:
        right(path, ns=(ns[0] // SECOND * SECOND, ns[1] // SECOND * SECOND))

    right = os.utime
    monkeypatch.setattr(marks, "this_boot", lambda: 7)
    monkeypatch.setattr(os, "utime", rounded)
    assert not mark_until_reboot(path, BLOB.digest)


def test_somebody_elses_file_stays_unmarked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    mark(path, BLOB.digest)
    assert not is_marked(path, BLOB)


def test_only_the_mark_of_this_blob_is_taken_away(path: Path) -> None:
    unmark(path.with_name("nothing"), BLOB.digest)
    os.utime(path, (5, 5))
    unmark(path, BLOB.digest)
    assert path.stat().st_mtime == 5
    mark(path, BLOB.digest)
    unmark(path, BLOB.digest)
    assert not is_marked(path, BLOB)
