"""Directories that only we can write to."""

import os
from pathlib import Path

import pytest

from bundle.errors import StorageError
from bundle.storage.private import hold, make_private, require_private


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077, 0o277])
def test_made_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_private(tmp_path / "state")
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o7777 == 0o700
    require_private(tmp_path / "state")


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    make_private(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o755
    require_private(tmp_path / "state")
    require_private(tmp_path / "not there")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o720, 0o702, 0o1777])
def test_others_can_write(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "my state"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(StorageError, match=f"its mode is {mode:04o}, expected 0700") as caught:
        require_private(place)
    assert caught.value.hint.startswith(f"chmod -R go-w '{place}' where nobody has changed what lies there")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_it_is_somebody_elses(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 0)
    with pytest.raises(StorageError, match="belongs to user 12345, expected root") as caught:
        require_private(tmp_path)
    assert caught.value.hint == "run this as user 12345, or name a place of your own: state=DIR"
    os.chown(tmp_path, 0, 0)


def test_it_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StorageError, match="is not a directory"):
        require_private(tmp_path / "state")


def test_what_nobody_holds_goes(tmp_path: Path) -> None:
    root = tmp_path / "state/carried"
    first = hold(root, "one")
    (root / "one/file").touch()
    (root / "stray").touch()
    (root / "link").symlink_to(tmp_path)
    second = hold(root, "two")
    assert sorted(path.name for path in root.iterdir()) == [".lock", "one", "two"]
    again = hold(root, "one")
    os.close(first)
    third = hold(root, "three")
    assert (root / "one/file").exists(), "it is held a second time"
    os.close(again)
    os.close(second)
    os.close(hold(root, "three"))
    assert sorted(path.name for path in root.iterdir()) == [".lock", "three"]
    os.close(third)
    assert tmp_path.exists(), "a link is removed, not what it leads to"


def test_unfinished_files_go_when_nobody_else_can_be_writing_them(tmp_path: Path) -> None:
    handle = hold(tmp_path / "carried", "one")
    half = tmp_path / "carried/one/deep/.x.1-2-3.tmp"
    half.parent.mkdir()
    half.touch()
    os.close(hold(tmp_path / "carried", "one"))
    assert half.exists()
    os.close(handle)
    os.close(hold(tmp_path / "carried", "one"))
    assert not half.exists()
    assert half.parent.exists()


def test_what_is_missing_above_it_is_private_too(tmp_path: Path) -> None:
    make_private(tmp_path / "state/app/target")
    for place in ("state", "state/app", "state/app/target"):
        assert (tmp_path / place).stat().st_mode & 0o777 == 0o700
