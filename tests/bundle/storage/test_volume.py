"""Bytes that lie in files, read by position, wherever they lie."""

import os
from pathlib import Path

import pytest

from bundle.storage.volume import Part, Section, Volume

DATA = os.urandom(10_000_000)


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
def test_bytes_of_a_volume(volume: Volume, offset: int, length: int) -> None:
    assert b"".join(volume.read(offset, length)) == DATA[offset : offset + length]


def test_bytes_of_a_section(volume: Volume) -> None:
    section = Section(of=volume, start=4_000_000, size=1_000_000)
    assert b"".join(section.read(0, 9_000_000)) == DATA[4_000_000:5_000_000]
    assert b"".join(section.read(999_999, 9_000_000)) == DATA[4_999_999:5_000_000]


def test_a_file_that_shrank_gives_fewer_bytes(volume: Volume) -> None:
    os.truncate(volume.parts[0].path, 1000)
    assert b"".join(volume.read(0, 2000)) == DATA[:1000]
    assert b"".join(volume.read(0, 5_000_000)) == DATA[:1000], "and nothing of the next part in their place"


@pytest.mark.parametrize(("offset", "length", "found"), [(0, 9, b"cde"), (1, 1, b"d"), (2, 9, b"e"), (3, 9, b"")])
def test_a_section_ends_where_it_ends(tmp_path: Path, offset: int, length: int, found: bytes) -> None:
    (tmp_path / "file").write_bytes(b"abcdefgh")
    section = Section(of=Volume([Part(path=tmp_path / "file")]), start=2, size=3)
    assert b"".join(section.read(offset, length)) == found
