"""Layers that zstd compressed: all frames, a little at a time, in bounded memory; what is damaged is one error."""

import io
import os
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.sbom._filesystem import open_layer
from bundle.sbom.inventory import LayerBlob, take_inventory
from clients.sbom.zstd import open_zstd, zstd
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.places import ROOT

DATA = bytes(range(256)) * 4000
PACKED = zstd.compress(DATA)
SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"index"  # a frame for others, as zstd:chunked layers end in


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return tmp_path / "layer"


@pytest.mark.parametrize(
    ("packed", "times"),
    [
        pytest.param(PACKED, 1, id="one frame"),
        pytest.param(PACKED + PACKED, 2, id="two frames"),
        pytest.param(PACKED + SKIPPED, 1, id="a frame for others at the end"),
        pytest.param(PACKED + SKIPPED + PACKED, 2, id="a frame for others between"),
    ],
)
def test_it_is_unpacked(layer: Path, packed: bytes, times: int) -> None:
    layer.write_bytes(packed)
    with open_layer(layer, open_zstd) as stream:
        assert stream.read(len(DATA) * times + 1) == DATA * times


def test_what_the_program_zstd_writes_is_read(layer: Path) -> None:
    try:
        argv = [program("zstd"), "-q", "-c", "--check", "-19", "--long"]
    except PartError as err:
        pytest.skip(str(err))
    layer.write_bytes(subprocess.run(argv, input=DATA, capture_output=True, check=True).stdout)
    with open_layer(layer, open_zstd) as stream:
        assert stream.read(len(DATA) + 1) == DATA


def test_it_need_not_be_read_to_its_end(layer: Path) -> None:
    layer.write_bytes(PACKED[:-20])
    with open_layer(layer, open_zstd) as stream:
        assert stream.read(10) == DATA[:10]


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        pytest.param(PACKED[:-20], "damaged: it is cut off", id="cut off"),
        pytest.param(PACKED[:12], "damaged: it is cut off", id="only its head"),
        pytest.param(PACKED + PACKED[:9], "damaged: it is cut off", id="second frame cut off"),
        pytest.param(PACKED[:4] + b"\xff" * 40, "damaged, or needs more than 128 MiB", id="no zstd after its magic"),
        pytest.param(PACKED + b"garbage", "damaged, or needs more than 128 MiB", id="garbage behind it"),
        pytest.param(
            zstd.compress(DATA, options={zstd.CompressionParameter.checksum_flag: 1})[:-4] + b"none",
            "damaged, or needs more than 128 MiB.*checksum",
            id="checksum",
        ),
    ],
)
def test_damage_is_one_error(layer: Path, packed: bytes, reason: str) -> None:
    layer.write_bytes(packed)
    with pytest.raises(FormatError, match=reason) as caught, open_layer(layer, open_zstd) as stream:
        stream.skip(2 * len(DATA) + 1)
    assert "\n" not in str(caught.value)


def large(size: int, window_log: int) -> bytes:
    """Zeros, packed so that unpacking them takes a window of 2 ** window_log bytes."""
    options = {zstd.CompressionParameter.window_log: window_log}
    packer = zstd.ZstdCompressor(options=options)
    return b"".join(packer.compress(bytes(1024**2)) for _ in range(size // 1024**2)) + packer.flush()


def test_a_window_larger_than_ours_is_refused(layer: Path) -> None:
    layer.write_bytes(large(1024**2, 28))
    with (
        pytest.raises(FormatError, match=r"needs more than 128 MiB of memory: .*too much memory"),
        open_layer(layer, open_zstd) as stream,
    ):
        stream.skip(1)


MEASURED = """
import resource, sys
from pathlib import Path
from bundle.sbom._filesystem import open_layer
from clients.sbom.zstd import open_zstd
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_layer(Path(sys.argv[1]), open_zstd) as stream:
    stream.skip(int(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_a_bomb_takes_no_more_memory_than_its_window(layer: Path) -> None:
    size = 700 * 1024**2
    layer.write_bytes(large(size, 23))
    assert layer.stat().st_size < 100_000
    argv = [sys.executable, "-c", MEASURED, str(layer), str(size)]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    assert int(done.stdout) < 24 * 1024


def test_packages_are_found_in_such_a_layer(layer: Path) -> None:
    status = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in (("etc/os-release", b"ID=debian\n"), ("var/lib/dpkg/status", status)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    layer.write_bytes(zstd.compress(made.getvalue()))
    found = take_inventory([LayerBlob(name="layer 1", path=layer)], open_zstd=open_zstd, room=layer.parent)
    assert [(each.name, each.version) for each in found.packages] == [("bash", "5.2")]
    layer.write_bytes(layer.read_bytes()[:-30])
    assert take_inventory([LayerBlob(name="layer 1", path=layer)], open_zstd=open_zstd, room=layer.parent).not_read
