"""Files of a tar or a directory by name: links lead nowhere but inside."""

import tarfile
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.storage.tree import DirectoryTree, Joined, SeekingStream, index_tar, read_small
from bundle.storage.volume import Part, Volume
from tests.fixtures.images.tars import made

REG = tarfile.REGTYPE


def test_a_global_header_may_not_rename(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", pax_headers={"path": "other"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(FormatError, match="global header"):
        index_tar(tmp_path / "x.tar")
    with tarfile.open(tmp_path / "y.tar", "w", pax_headers={"comment": "fine"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert index_tar(tmp_path / "y.tar").size("a") == 0


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


def test_several_trees_as_one(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(made(("both", REG, b"first", ""), ("one", REG, b"1", "")))
    (tmp_path / "other").mkdir()
    for name, data in (("both", b"second, longer"), ("two", b"22")):
        (tmp_path / "other" / name).write_bytes(data)
    tree = Joined([index_tar(tmp_path / "x.tar"), DirectoryTree(tmp_path / "other")])
    assert [(read_small(tree, name, 20), tree.size(name)) for name in ("both", "one", "two")] == [
        (b"first", 5), (b"1", 1), (b"22", 2),
    ]  # fmt: skip
    assert b"".join(tree.read("both", 2)) == b"rst"
    with pytest.raises(FileNotFoundError, match="none"):
        tree.extent("none")


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


def test_a_stream_that_passes_over_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    stream = SeekingStream(Volume([Part(path=tmp_path / "file")]))
    assert stream.read(2) == b"01"
    stream.skip(3)
    assert b"".join(stream.chunks(2)) == b"56"
    assert stream.position == 7
    stream.skip(100)
    assert (stream.read(5), stream.position) == (b"", 10)
