"""What is written is what `tarfile` reads."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bundle.errors import IntegrityError
from bundle.oci.digest import Digest
from bundle.storage.appender import BLOCK
from bundle.storage.marks import mark
from bundle.storage.tar_reader import members
from bundle.storage.tar_writer import ALIGNED, HashingSink, TarWriter
from tests.fixtures.images.tars import Forward

LONG = "d/" + "n" * 200


REG = tarfile.REGTYPE


def test_a_writer_writes_what_tarfile_reads(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"run")
    (tmp_path / "tool").chmod(0o700)
    buffer = io.BytesIO()
    sink = HashingSink(buffer)
    tar = TarWriter(sink, epoch=7, subject="test")
    tar.directory("d")
    tar.data(LONG, b"12345")
    tar.file("d/tool", tmp_path / "tool", digest=Digest.of(b"run"))
    tar.close()
    assert (sink.digest, sink.size) == (Digest.of(buffer.getvalue()), len(buffer.getvalue()))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as reader:
        assert [(i.name, i.mode, i.mtime, i.size) for i in reader] == [
            ("d", 0o755, 7, 0),
            (LONG, 0o644, 7, 5),
            ("d/tool", 0o755, 7, 3),
        ]
    assert [member.name for member in members(Forward(buffer.getvalue()))] == ["d", LONG, "d/tool"]


def test_sizes_over_8_gib_are_written_as_pax() -> None:
    headers = io.BytesIO()
    TarWriter(headers, epoch=0, subject="test")._header("big", 9 << 30, 0o644, REG)
    member = next(iter(members(Forward(headers.getvalue() + bytes(1024)))))
    assert member.size == 9 << 30


def test_a_file_that_changed_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"other")
    tar = TarWriter(io.BytesIO(), epoch=0, subject="image 'api'")
    with pytest.raises(IntegrityError, match=r"image 'api': file '.*/x' changed on the disk: expected sha256:"):
        tar.file("x", tmp_path / "x", digest=Digest.of(b"right"))


def test_a_file_that_is_known_is_not_hashed(tmp_path: Path) -> None:
    """Nor is one in a tar that is made inside; what is no longer known afterwards was written to meanwhile."""
    (tmp_path / "x").write_bytes(b"other")
    right, asked = Digest.of(b"right"), []

    def known(digest: Digest, _handle: int) -> bool:
        asked.append(digest)
        return len(asked) < 6

    buffer = io.BytesIO()
    tar = TarWriter(buffer, epoch=0, subject="image 'api'", known=known)
    tar.file("x", tmp_path / "x", digest=right)
    tar.tar("y", 1024, lambda inner: inner.file("z", tmp_path / "x", digest=right), epoch=0)
    with pytest.raises(IntegrityError, match=r"'.*/x' changed on the disk: expected .*, it was written to meanwhile"):
        tar.file("x", tmp_path / "x", digest=right)
    assert asked == [right] * 6
    assert [member.name for member in members(Forward(buffer.getvalue() + bytes(1024)))] == ["x", "y", "x"]


@pytest.mark.parametrize("before", [0, 1, 6, 7, 8, 9, 14, 15])
@pytest.mark.parametrize("name", ["x", LONG, "d/" + "n" * 480, "d/" + "n" * 500, "d/" + "ü" * 120])
@pytest.mark.parametrize("size", [ALIGNED - 1, ALIGNED, ALIGNED + 700])
def test_larger_members_begin_on_block_borders(tmp_path: Path, before: int, name: str, size: int) -> None:
    """Whatever comes before them, and however long a header they need anyway."""
    content = b"." * size
    (tmp_path / "x").write_bytes(content)
    buffer = io.BytesIO()
    tar = TarWriter(buffer, epoch=7, subject="test")
    for number in range(before):
        tar.directory(str(number))
    start = tar.position
    tar.file(name, tmp_path / "x", digest=Digest.of(content))
    tar.data("after", content)
    tar.close()
    assert tar.position == len(buffer.getvalue())
    found = {member.name: member for member in members(Forward(buffer.getvalue()))}
    assert set(found) == {*map(str, range(before)), name, "after"}
    if size >= ALIGNED:
        assert [found[each].offset % BLOCK for each in (name, "after")] == [0, 0]
        assert found[name].offset - start <= 512 + 2 * BLOCK
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as reader:
        for each in (name, "after"):
            file = reader.extractfile(each)
            assert file
            assert file.read() == content
    for program in ("tar", "bsdtar"):
        if shutil.which(program):
            done = subprocess.run([program, "-tf", "-"], input=buffer.getvalue(), capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
            assert len(done.stdout.splitlines()) == before + 2


def test_a_tar_in_a_tar(tmp_path: Path) -> None:
    """It begins on a border, and so do its members, counted from either beginning."""
    content = b"x" * ALIGNED
    (tmp_path / "x").write_bytes(content)

    def fill(inner: TarWriter) -> None:
        inner.directory("d")
        inner.file("d/x", tmp_path / "x", digest=Digest.of(content))
        inner.close()

    alone = io.BytesIO()
    fill(TarWriter(alone, epoch=0, subject="test"))
    inner = alone.getvalue()
    buffer = io.BytesIO()
    tar = TarWriter(buffer, epoch=7, subject="test")
    tar.data("small", b"1")
    tar.tar("image.tar", len(inner), fill, epoch=0)
    tar.close()
    found = {member.name: member for member in members(Forward(buffer.getvalue()))}
    start = found["image.tar"].offset
    assert start % BLOCK == 0
    assert buffer.getvalue()[start : start + len(inner)] == inner
    assert [member.offset % BLOCK for member in members(Forward(inner)) if member.kind == "file"] == [0]
    with pytest.raises(IntegrityError, match=r"'image\.tar' has [0-9]+ bytes now, expected 5"):
        TarWriter(io.BytesIO(), epoch=7, subject="test").tar("image.tar", 5, fill, epoch=0)


@pytest.mark.parametrize("content", [b"other", b"longer than it was", b""])
def test_a_file_with_the_mark_of_other_bytes_loses_it(tmp_path: Path, content: bytes) -> None:
    """Whoever sets a time back gets nothing into a tar, and the next use of the file reads it."""
    wanted = Digest.of(b"right")
    (tmp_path / "x").write_bytes(content)
    mark(tmp_path / "x", wanted)
    with pytest.raises(IntegrityError, match=r"changed on the disk: expected sha256:.*, it has sha256:"):
        TarWriter(io.BytesIO(), epoch=0, subject="test").file("x", tmp_path / "x", digest=wanted)
    assert (tmp_path / "x").stat().st_mtime == 0
