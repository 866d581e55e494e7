import gzip
import io
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from bundle.errors import FormatError
from bundle.images.layers import stream as layer_stream
from bundle.sbom._filesystem import open_layer
from tests.fixtures.images.layers import no_zstd

DATA = bytes(range(256)) * 5000


def read(path: Path) -> bytes:
    with open_layer(path, no_zstd) as stream:
        data = stream.read(len(DATA) * 2)
        assert stream.position == len(data)
        return data


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(DATA, id="plain"),
        pytest.param(gzip.compress(DATA), id="gzip"),
        pytest.param(gzip.compress(DATA[:1000]) + gzip.compress(DATA[1000:]), id="two members"),
        pytest.param(b"".join(gzip.compress(DATA[i : i + 900]) for i in range(0, len(DATA), 900)), id="many members"),
        pytest.param(gzip.compress(DATA) + bytes(4096), id="padded"),
    ],
)
def test_it_is_unpacked(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "blob"
    path.write_bytes(packed)
    assert read(path) == DATA


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        pytest.param(gzip.compress(DATA)[:-9], "cut off", id="cut off"),
        pytest.param(gzip.compress(DATA)[:2000] + b"damage" + gzip.compress(DATA)[2006:], "damaged", id="damaged"),
        pytest.param(gzip.compress(DATA)[:-8] + bytes(8), "damaged", id="checksum"),
        pytest.param(b"\x28\xb5\x2f\xfdrest", "there is no zstd", id="zstd"),
    ],
)
def test_what_is_damaged_is_an_error(tmp_path: Path, packed: bytes, reason: str) -> None:
    path = tmp_path / "blob"
    path.write_bytes(packed)
    with pytest.raises(FormatError, match=reason):
        read(path)


def test_zstd_is_read_from_whoever_opens_it(tmp_path: Path) -> None:
    @contextmanager
    def opened(path: Path) -> Iterator[IO[bytes]]:
        yield io.BytesIO(DATA)

    path = tmp_path / "blob"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    with open_layer(path, opened) as stream:
        stream.skip(100)
        assert stream.read(50) == DATA[100:150]


def test_a_bomb_is_not_unpacked_to_its_end_and_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_stream, "_MOST", 200 * 1024**2)
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(bytes(1024**2)) for _ in range(300)) + packer.flush()
    path = tmp_path / "bomb"
    path.write_bytes(packed)
    assert len(packed) < 400_000
    tracemalloc.start()
    with open_layer(path, no_zstd) as stream, pytest.raises(FormatError, match="unpacks to more than"):
        stream.skip(300 * 1024**2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024**2
