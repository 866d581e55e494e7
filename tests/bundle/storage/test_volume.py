"""Bytes that lie in files, as pieces of those: the same bytes as are read, wherever they lie."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.storage.volume import FilePiece, Part, Section, Volume

DATA = os.urandom(10_000_000)


def joined(pieces: Iterator[FilePiece]) -> bytes:
    """Each is read while it is at hand, as a file is open no longer."""
    return b"".join(chunk for piece in pieces for chunk in piece.read())


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """DATA in three files, one of them empty."""
    cuts = [0, 4_500_000, 4_500_000, len(DATA)]
    paths = [tmp_path / f"part{number}" for number in range(3)]
    for path, start, end in zip(paths, cuts, cuts[1:], strict=False):
        path.write_bytes(DATA[start:end])
    return Volume([Part(path=path) for path in paths])


@pytest.mark.parametrize("offset", [0, 1, 4_499_999, 4_500_000, len(DATA) - 1, len(DATA)])
@pytest.mark.parametrize("length", [0, 1, 5_000_000, len(DATA), len(DATA) + 1])
def test_pieces_of_a_volume(volume: Volume, offset: int, length: int) -> None:
    wanted = DATA[offset : offset + length]
    assert joined(volume.pieces(offset, length)) == wanted
    assert b"".join(volume.read(offset, length)) == wanted
    assert sum(map(len, volume.pieces(offset, length))) == len(wanted)


def test_pieces_of_a_section(volume: Volume) -> None:
    section = Section(of=volume, start=4_000_000, size=1_000_000)
    assert joined(section.pieces(0, 9_000_000)) == DATA[4_000_000:5_000_000]
    assert joined(section.pieces(999_999, 9_000_000)) == DATA[4_999_999:5_000_000]


def test_a_file_that_shrank_gives_fewer_bytes(volume: Volume) -> None:
    os.truncate(volume.parts[0].path, 1000)
    pieces = volume.pieces(0, 2000)
    piece = next(pieces)
    assert len(piece) == 2000
    assert b"".join(piece.read()) == DATA[:1000]


@pytest.mark.parametrize(("offset", "length", "found"), [(0, 9, b"cde"), (1, 1, b"d"), (2, 9, b"e"), (3, 9, b"")])
def test_a_section_ends_where_it_ends(tmp_path: Path, offset: int, length: int, found: bytes) -> None:
    (tmp_path / "file").write_bytes(b"abcdefgh")
    section = Section(of=Volume([Part(path=tmp_path / "file")]), start=2, size=3)
    assert b"".join(section.read(offset, length)) == found
