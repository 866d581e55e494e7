import tarfile

import pytest

from bundle.errors import FormatError
from bundle.storage.tar_reader import MAX_MEMBERS, Member, link_target, members
from tests.fixtures.images.tars import Forward, made

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
