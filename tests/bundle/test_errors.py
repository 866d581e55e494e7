"""What the errors of the file system are told as."""

import errno
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from bundle import errors
from bundle.errors import NoRoomError, StorageError, free_space, storage_errors


@pytest.mark.parametrize(
    ("place", "file", "told"),
    [
        pytest.param(Path("a"), None, "can't write it: a: No space left on device: found ", id="the place"),
        pytest.param(Path("a"), "b", "can't write it: b: No space left on device: found ", id="the file that failed"),
        pytest.param(Path(), None, "can't write it: No space left on device", id="no place"),
    ],
)
def test_where_it_failed(place: Path, file: str | None, told: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("write it", place):
        raise OSError(errno.ENOSPC, "full", file)
    assert caught.value.what.startswith(told)
    assert bool(re.search(r"found [0-9]+\.[0-9] MB free on /\S* \(\w+\)$", caught.value.what)) == (place != Path())
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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_what_was_wanted_and_what_there_is(tmp_path: Path, code: int) -> None:
    place = tmp_path / "not" / "made" / "yet"
    with (
        pytest.raises(StorageError, match=r"made/yet: .*: expected 5\.0 MB free, found "),
        storage_errors("write", place),
    ):
        raise NoRoomError(code, str(place), 5_000_000)
    with (
        pytest.raises(StorageError, match=r"expected 0\.7 MB free, found"),
        storage_errors("write", tmp_path, wanted=700_000),
    ):
        raise OSError(code, "full")


def test_no_locks(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("lock it", tmp_path):
        raise OSError(errno.ENOLCK, "no locks")
    assert "has no file locks: choose a place on a local disk" in caught.value.hint


MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt rw - tmpfs tmpfs rw
31 30 8:17 / /mnt/usb\040stick rw,nosuid - vfat /dev/sdb1 rw
32 31 8:18 / /mnt/usb\040stick rw - exfat /dev/sdc1 rw
33 22 8:19 / /mnt/us rw - xfs /dev/sdd1 rw
"""


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/home/a", "/ (ext4)"),
        ("/mnt/other", "/mnt (tmpfs)"),
        ("/mnt/usb stick/dist", "/mnt/usb stick (exfat)"),
        ("/mnt/usb", "/mnt (tmpfs)"),
    ],
    ids=["root", "below a mount", "a blank, and mounted over", "begins with the name of another"],
)
def test_which_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, told: str) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS.lstrip())
    monkeypatch.setattr(errors, "_MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 512, 100, 50, 7, 0, 0, 0, 0, 255)))
    assert free_space(Path(path)) == (7 * 512, told)


def test_free_space_is_that_of_the_nearest_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free, name = free_space(tmp_path / "not" / "there" / "yet")
    assert abs(free - shutil.disk_usage(tmp_path).free) < 2**30
    assert name.startswith("/")
    monkeypatch.setattr(errors, "_MOUNTS", tmp_path / "none")
    assert free_space(tmp_path)[1] == "its file system"


def test_a_full_disk_that_can_not_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "statvfs", refuse)
    with pytest.raises(StorageError, match="No space left on device\n"), storage_errors("write", tmp_path):
        raise NoRoomError(errno.ENOSPC, str(tmp_path), 1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("airgap-sign-1/signers", "TMPDIR=DIR"), ("airgap-helm-1", "TMPDIR=DIR"), ("mine/state", "out=DIR or state=DIR"),
     ("", "out=DIR or state=DIR")],
)  # fmt: skip
def test_where_temporary_files_lie_is_another_question_than_where_state_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StorageError, match="can't check") as caught, storage_errors("check", tmp_path):
        raise OSError(errno.ENOSPC, "full", str(tmp_path / name))
    assert hint in caught.value.hint
