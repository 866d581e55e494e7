import io
import tarfile
from pathlib import Path

import pytest

from bundle.errors import FormatError, IntegrityError
from bundle.oci.digest import Digest
from bundle.storage.tar_reader import MAX_MEMBERS, Member, link_target, members
from bundle.storage.tar_writer import HashingSink, TarWriter
from bundle.storage.tree import index_tar, read_small


class Forward:
    """Bytes as a forward stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def read(self, size: int) -> bytes:
        data = self._data[self.position : self.position + size]
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        self.read(size)


def made(*entries: tuple[str, bytes, bytes, str], form: int = tarfile.PAX_FORMAT, **pax: str) -> bytes:
    """A tar by the standard library: name, type, data, link target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, kind, data, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.pax_headers = kind, len(data), target, pax
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


LONG = "d/" + "n" * 200
REG = tarfile.REGTYPE


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_members_of_both_formats(form: int) -> None:
    data = made(
        ("./", tarfile.DIRTYPE, b"", ""),
        ("./a//b", REG, b"hello", ""),
        (LONG, REG, b"long", ""),
        ("ü", tarfile.SYMTYPE, b"", LONG),
        ("../x", REG, b"", ""),
        form=form,
    )
    found = [(member.name, member.kind, member.target) for member in members(Forward(data))]
    assert found == [
        ("", "directory", ""),
        ("a/b", "file", ""),
        (LONG, "file", ""),
        ("ü", "symlink", LONG),
        ("../x", "unsafe", ""),
    ]
    offsets = [(member.offset, member.size) for member in members(Forward(data))]
    assert data[offsets[1][0] :][: offsets[1][1]] == b"hello"
    assert data[offsets[2][0] :][: offsets[2][1]] == b"long"


def header_changed(data: bytes, at: int, new: bytes) -> bytes:
    """The first header with other bytes and a checksum that fits."""
    header = bytearray(data[:512])
    header[at : at + len(new)] = new
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


GOOD = made(("a", REG, b"x" * 1000, ""))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        pytest.param(b"", "cut off at byte 0", id="empty"),
        pytest.param(GOOD[:300], "cut off at byte 300", id="in a header"),
        pytest.param(GOOD[:900], "cut off inside 'a'", id="in data"),
        pytest.param(GOOD[:1536], "cut off at byte 1536: its end is missing", id="without end"),
        pytest.param(b"X" + GOOD[1:], "damaged at byte 0: bad checksum", id="flipped"),
        pytest.param(b"not a tar at all" * 64, "damaged at byte 0", id="no tar"),
        pytest.param(header_changed(GOOD, 124, b"\xff" + b"\xff" * 11), "size -1", id="negative size"),
        pytest.param(header_changed(GOOD, 156, b"5"), "is a directory and yet has data", id="directory with data"),
        pytest.param(header_changed(GOOD, 156, b"x"), "damaged extended header", id="bad pax"),
        pytest.param(
            header_changed(GOOD, 124, b"77777777777\0")[:156] + b"x" + GOOD[157:], "damaged", id="flipped type"
        ),
        pytest.param(
            header_changed(header_changed(GOOD, 124, b"77777777777\0"), 156, b"x"), "extended header of", id="bomb"
        ),
        pytest.param(made(("a", REG, b"", ""), size="9" * 30), "of size '999", id="pax size"),
    ],
)
def test_what_is_no_good_tar_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(FormatError, match=what):
        list(members(Forward(data)))


def test_a_global_header_may_not_rename(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", pax_headers={"path": "other"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(FormatError, match="global header"):
        index_tar(tmp_path / "x.tar")
    with tarfile.open(tmp_path / "y.tar", "w", pax_headers={"comment": "fine"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert index_tar(tmp_path / "y.tar").size("a") == 0


def test_sparse_files_are_no_files() -> None:
    data = made(("a", REG, b"x", ""), **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    assert [member.kind for member in members(Forward(data))] == ["other"]


def test_too_many_entries() -> None:
    assert MAX_MEMBERS >= 100_000
    with pytest.raises(FormatError, match="more than 2 entries"):
        list(members(Forward(made(*(("a", REG, b"", ""),) * 3)), limit=2))


@pytest.mark.parametrize(
    ("kind", "target", "resolved"),
    [
        ("symlink", "../c", "a/c"),
        ("symlink", "c", "a/b/c"),
        ("symlink", "../../../etc/passwd", ""),
        ("symlink", "/etc/passwd", ""),
        ("symlink", "../../..", ""),
        ("hardlink", "a/c", "a/c"),
        ("hardlink", "../c", ""),
    ],
)
def test_links_stay_inside(kind: str, target: str, resolved: str) -> None:
    member = Member(name="a/b/link", kind=kind, size=0, offset=0, target=target)  # type: ignore[arg-type]
    assert link_target(member) == resolved


def test_links_are_followed_inside_the_tar_only(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(
        made(
            ("1/layer.tar", REG, b"layer", ""),
            ("2/layer.tar", tarfile.SYMTYPE, b"", "../1/layer.tar"),
            ("3/layer.tar", tarfile.LNKTYPE, b"", "2/layer.tar"),
            ("loop", tarfile.SYMTYPE, b"", "loop"),
            ("out", tarfile.SYMTYPE, b"", "/etc/passwd"),
            ("up", tarfile.SYMTYPE, b"", "../x.tar"),
            ("directory", tarfile.DIRTYPE, b"", ""),
            ("null", tarfile.CHRTYPE, b"", ""),
        )
    )
    tree = index_tar(tmp_path / "x.tar")
    assert read_small(tree, "3/layer.tar", 10) == b"layer"
    assert b"".join(tree.read("2/layer.tar", 3)) == b"er"
    for name in ("loop", "out", "up", "directory", "null", "nothing"):
        with pytest.raises(FileNotFoundError):
            tree.size(name)
    with pytest.raises(FormatError, match="has 5 bytes, more than 4"):
        read_small(tree, "1/layer.tar", 4)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        pytest.param([("a", REG, b"1", ""), ("./a", REG, b"2", "")], "two entries named 'a'", id="duplicate"),
        pytest.param([("/a", REG, b"", "")], "'/a' that leads out", id="absolute"),
        pytest.param([("a/../../b", REG, b"", "")], "leads out", id="climbs"),
        pytest.param([("a\\b", REG, b"", "")], "leads out", id="backslash"),
    ],
)
def test_hostile_tars_are_refused(tmp_path: Path, entries: list[tuple[str, bytes, bytes, str]], what: str) -> None:
    (tmp_path / "x.tar").write_bytes(made(*entries))
    with pytest.raises(FormatError, match=what):
        index_tar(tmp_path / "x.tar")


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
