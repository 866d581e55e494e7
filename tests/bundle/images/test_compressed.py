"""Archives that somebody compressed, unpacked once."""

import gzip
import os
import threading
from pathlib import Path

import pytest

from bundle.errors import SourceError
from bundle.images.compressed import is_compressed, unpacked

DATA = os.urandom(3_000_000)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(DATA))
    return path


def unpack(path: Path, scratch: Path | None = None) -> Path:
    return unpacked(path, subject="image 'app'", scratch=scratch, open_zstd=None)


def test_it_can_be_opened_any_number_of_times(packed: Path) -> None:
    found = unpack(packed, packed.parent)
    assert [found.read_bytes(), found.read_bytes()] == [DATA, DATA]
    assert sorted(each.name for each in packed.parent.iterdir()) == ["x.tar.gz"]


def test_it_is_unpacked_once(packed: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(unpack(packed))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 1
    packed.write_bytes(gzip.compress(b"another"))
    assert unpack(packed).read_bytes() == b"another"


def test_a_place_that_is_not_there_yet(packed: Path) -> None:
    assert unpack(packed, packed.parent / "absent").read_bytes() == DATA


def test_what_is_not_compressed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"plain")
    assert not is_compressed(tmp_path / "x")


def test_a_damaged_one_leaves_nothing(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-100])
    for _ in range(2):
        with pytest.raises(SourceError, match="can't be unpacked: its compression is damaged or cut off"):
            unpack(packed, packed.parent)
    assert [each.name for each in packed.parent.iterdir()] == ["x.tar.gz"]
