"""What is written is what `tarfile` reads."""

import io
import tarfile
from pathlib import Path

import pytest

from bundle.errors import IntegrityError
from bundle.oci.digest import Digest
from bundle.storage.tar_reader import members
from bundle.storage.tar_writer import HashingSink, TarWriter
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
