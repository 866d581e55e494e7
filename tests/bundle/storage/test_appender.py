"""A file that grows by pieces of others: the same bytes and digest, shared blocks or not."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from bundle.oci.digest import Digest
from bundle.storage import appender as module
from bundle.storage.appender import BLOCK, Appender
from bundle.storage.files import CHUNK
from bundle.storage.volume import FilePiece


def appended(path: Path, fill: Callable[[Appender], None]) -> bytes:
    """What is in the file after `fill`, which the appender's own account must fit."""
    with path.open("xb", buffering=0) as file, Appender(file.fileno()) as made:
        fill(made)
        data = path.read_bytes()
        assert (made.digest, made.size) == (Digest.of(data), len(data))
    return data


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, CHUNK, CHUNK + 1, 5 * CHUNK + 100])
@pytest.mark.parametrize("offset", [0, 1, BLOCK])
@pytest.mark.parametrize("head", [0, 512, BLOCK])
def test_pieces_and_bytes_in_turn(tmp_path: Path, size: int, offset: int, head: int) -> None:
    content = os.urandom(offset + size + 10)
    (tmp_path / "source").write_bytes(content)
    seen: list[bytes] = []

    def see(chunk: bytes | memoryview) -> None:
        seen.append(bytes(chunk))

    def fill(made: Appender) -> None:
        with (tmp_path / "source").open("rb", buffering=0) as source:
            made.write(bytes(head))
            assert made.copy(FilePiece(file=source, offset=offset, size=size), see) == size
            made.write(b"between")
            made.copy(FilePiece(file=source, offset=0, size=3))

    wanted = bytes(head) + content[offset : offset + size] + b"between" + content[:3]
    assert appended(tmp_path / "made", fill) == wanted
    assert b"".join(seen) == content[offset : offset + size]


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x" * 10_000)

    def fill(made: Appender) -> None:
        with (tmp_path / "source").open("rb", buffering=0) as source:
            assert made.copy(FilePiece(file=source, offset=0, size=20_000)) == 10_000
            made.write(b"end")

    assert appended(tmp_path / "made", fill) == b"x" * 10_000 + b"end"


def test_whole_blocks_are_shared_where_the_system_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is answered by a copy here: which bytes it was asked for, and that no other goes through memory."""
    content = os.urandom(3 * BLOCK + 5)
    (tmp_path / "source").write_bytes(content)
    asked: list[tuple[int, int, int]] = []
    written: list[int] = []

    def clone(handle: int, request: int, told: bytes) -> int:
        source, offset, length, target = module.struct.unpack("qQQQ", told)
        asked.append((offset, length, target))
        os.pwrite(handle, os.pread(source, length, offset), target)
        return 0

    def write(handle: int, data: memoryview) -> int:
        written.append(len(data))
        return real(handle, data)

    def fill(made: Appender) -> None:
        with (tmp_path / "source").open("rb", buffering=0) as source:
            made.write(bytes(BLOCK))
            made.copy(FilePiece(file=source, offset=0, size=len(content)))
            made.copy(FilePiece(file=source, offset=0, size=len(content)))

    real = os.write
    monkeypatch.setattr(fcntl, "ioctl", clone)
    monkeypatch.setattr(os, "write", write)
    assert appended(tmp_path / "made", fill) == bytes(BLOCK) + content + content
    assert asked == [(0, 3 * BLOCK, BLOCK)], "the second does not begin on a border"
    assert written == [BLOCK, 5, len(content)]


def test_a_file_system_that_refuses_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_bytes(bytes(BLOCK))
    asked = []

    def refuse(*_: object) -> int:
        asked.append(1)
        raise OSError(errno.EOPNOTSUPP, "no")

    def fill(made: Appender) -> None:
        with (tmp_path / "source").open("rb", buffering=0) as source:
            for _ in range(3):
                made.copy(FilePiece(file=source, offset=0, size=BLOCK))

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    assert appended(tmp_path / "made", fill) == bytes(3 * BLOCK)
    assert len(asked) == 1


@pytest.mark.parametrize("at", ["first", "later"])
def test_a_full_disk_comes_through(tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_bytes(bytes(4 * CHUNK))
    real, left = os.write, [0 if at == "first" else 2]

    def write(handle: int, data: memoryview) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full")
        return real(handle, data)

    monkeypatch.setattr(os, "write", write)
    source: BinaryIO
    with (
        (tmp_path / "made").open("xb", buffering=0) as file,
        (tmp_path / "source").open("rb", buffering=0) as source,
        pytest.raises(OSError, match="full"),
        Appender(file.fileno()) as made,
    ):
        made.copy(FilePiece(file=source, offset=0, size=4 * CHUNK))
