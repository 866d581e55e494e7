"""Atomic writing, placing without copying, and paths that stay inside."""

import ast
import errno
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle.errors import FormatError, NoRoomError
from bundle.storage import files
from bundle.storage.files import (
    inside,
    is_temporary,
    lock,
    locked,
    make_directories,
    place,
    replace_directory,
    require_room,
    temporary,
    write_bytes,
    writing,
)
from tests.fixtures.places import ROOT


def test_writing_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    with writing(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" whole")
    assert path.read_bytes() == b"half whole"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"good")
    with pytest.raises(TypeError), writing(path) as file:
        file.writelines([b"bad", "not bytes"])  # type: ignore[list-item]
    assert path.read_bytes() == b"good"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_temporary_names_are_known_again(tmp_path: Path) -> None:
    assert temporary(tmp_path / "a") != temporary(tmp_path / "a")
    assert is_temporary(temporary(tmp_path / "a").name)
    assert not is_temporary("a.tmp")


def test_place_links(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "deep" / "b"
    source.write_bytes(b"x")
    place(source, target)
    place(source, target)
    assert source.samefile(target)
    assert [entry.name for entry in target.parent.iterdir()] == ["b"]


def test_place_replaces(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    place(source, target)
    assert target.read_bytes() == b"new"


def test_place_copies_where_it_can_not_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * 3_000_000)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    place(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert not source.samefile(target)
    assert target.stat().st_mtime == 1_000_000_000


def refuse_links(*_: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def test_a_copy_is_not_made_again_until_either_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse_links)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"first")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    place(source, target)
    made = target.stat()
    place(source, target)
    assert os.path.samestat(target.stat(), made), "nothing is written"
    os.utime(target)  # as whoever writes to it does
    place(source, target)
    assert not os.path.samestat(target.stat(), made)
    source.write_bytes(b"other")
    place(source, target)
    assert target.read_bytes() == b"other"


def test_threads_that_place_one_target_copy_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Path] = []

    def slowly(source: Path, target: Path) -> None:
        copies.append(target)
        time.sleep(0.05)
        copy(source, target)

    copy = files._copy
    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(files, "_copy", slowly)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"shared")
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: place(source, target), range(6)))
    assert len(copies) == 1
    assert target.read_bytes() == b"shared"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "a/../../b", "a/..", "a\\b", "a\0b"])
def test_inside_refuses(path: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="leads out"):
        inside(tmp_path, path)


def test_inside(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b") == tmp_path / "a" / "b"


@pytest.mark.parametrize("swappable", [True, False], ids=["exchange", "two renames"])
def test_replace_directory(swappable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not swappable:
        monkeypatch.setattr("bundle.storage.files._exchange", lambda *_: False)
    new, target = tmp_path / "new", tmp_path / "at" / "target"
    for content in ("first", "second"):
        new.mkdir()
        (new / content).write_text(content)
        replace_directory(new, target)
        assert [entry.name for entry in target.iterdir()] == [content]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["at"]
    assert [entry.name for entry in target.parent.iterdir()] == ["target"]


def test_locked_keeps_other_processes_out(tmp_path: Path) -> None:
    program = (
        "import sys, fcntl; f = open(sys.argv[1], 'ab')\n"
        "try: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')\n"
        "except BlockingIOError: print('held')"
    )
    path = tmp_path / "lock"
    command = [sys.executable, "-c", program, str(path)]
    with locked(path):
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "held\n"
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "free\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_write_that_is_refused_names_the_file(tmp_path: Path, code: int) -> None:
    path = tmp_path / "file"

    def write() -> None:
        with writing(path):
            raise OSError(code, "refused")

    with pytest.raises(OSError, match="refused") as caught:
        write()
    assert caught.value.filename == str(path)


def test_room_is_asked_for_where_nothing_is_yet(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet"
    require_room(path, 1)
    with pytest.raises(NoRoomError) as caught:
        require_room(path, 2**62)
    assert (caught.value.errno, caught.value.filename, caught.value.wanted) == (errno.ENOSPC, str(path), 2**62)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_no_locks_are_told_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def flock(handle: int, operation: int) -> None:
        raise OSError(code, "none")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="No locks available") as caught, locked(tmp_path / "lock"):
        pytest.fail("locked")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOLCK, str(tmp_path / "lock"))


def test_a_lock_that_another_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), path.open("ab") as other:
        assert not lock(other.fileno(), path, wait=False)
    with path.open("ab") as other:
        assert lock(other.fileno(), path, wait=False)


@pytest.mark.parametrize("there", [False, True], ids=["new", "in the place of another"])
def test_names_are_on_the_disk_before_a_directory_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    new, target = tmp_path / "new", tmp_path / "at" / "target"
    (new / "deep").mkdir(parents=True)
    if there:
        target.mkdir(parents=True)
    calls: list[str] = []
    monkeypatch.setattr(files, "sync_directory", lambda path: calls.append(path.name))
    exchange, rename = files._exchange, Path.rename
    monkeypatch.setattr(files, "_exchange", lambda *both: calls.append("swap") or exchange(*both))
    monkeypatch.setattr(Path, "rename", lambda *both: calls.append("swap") or rename(*both))
    replace_directory(new, target)
    assert calls == ["deep", "new", "swap", "at"]


def test_a_small_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    assert files.read_small(tmp_path / "link") == b"data"


def test_what_is_no_small_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read, a pipe that nobody writes to would be waited for, and a device would never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="it is not a regular file"):
            files.read_small(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        files.read_small(tmp_path)
    monkeypatch.setattr(files, "_LARGEST_SMALL", 3)
    (tmp_path / "file").write_bytes(b"data")
    with pytest.raises(OSError, match="it has more than 3 bytes"):
        files.read_small(tmp_path / "file")


@pytest.mark.parametrize(("above", "umask", "made"), [(0o700, 0, 0o700), (0o755, 0, 0o755), (0o777, 0o022, 0o755)])
def test_directories_give_no_more_than_the_one_they_lie_in(tmp_path: Path, above: int, umask: int, made: int) -> None:
    tmp_path.chmod(above)
    before = os.umask(umask)
    try:
        make_directories(tmp_path / "a/b")
        write_bytes(tmp_path / "c/d/file", b"x")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_dir()} == {made}
    make_directories(tmp_path / "a/b")


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_directories(tmp_path / "file/a")
    with pytest.raises(FileExistsError):
        make_directories(tmp_path / "file")


# Where the umask alone decides: places that the user names, which are for others too, and the kernel's.
OF_THE_USER = {
    "bundle/storage/files.py": 1,
    "bundle/archive/parts.py": 1,
    "clients/sandbox/_node_cgroups.py": 2,
    "tasks/start/init.py": 1,
    "tasks/commands/publish.py": 1,
    "tasks/commands/installed/backup.py": 1,
}


def test_directories_are_made_in_one_way() -> None:
    found: Counter[str] = Counter()
    for wing in ("bundle", "clients", "schema", "tasks"):
        for path in (ROOT / wing).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            made = [call for call in calls if getattr(call.func, "attr", "") in ("mkdir", "makedirs", "mkdirs")]
            free = [call for call in made if not any(word.arg == "mode" for word in call.keywords)]
            found[path.relative_to(ROOT).as_posix()] += len(free)
    assert +found == OF_THE_USER
