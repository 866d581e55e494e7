import shutil
import subprocess
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.sbom._filesystem import open_layer
from clients.programs.stream import open_zstd

DATA = bytes(range(256)) * 4000


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    path = tmp_path / "layer"
    path.write_bytes(subprocess.run(["zstd", "-qc"], input=DATA, capture_output=True, check=True).stdout)
    return path


def test_it_is_unpacked(packed: Path) -> None:
    with open_layer(packed, open_zstd) as stream:
        assert stream.read(len(DATA) + 1) == DATA


def test_it_need_not_be_read_to_its_end(packed: Path) -> None:
    with open_layer(packed, open_zstd) as stream:
        assert stream.read(10) == DATA[:10]


def test_damage_is_an_error(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(FormatError, match="damaged"), open_layer(packed, open_zstd) as stream:
        stream.skip(len(DATA) + 1)


def test_without_the_program_it_is_said(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FormatError, match="no program zstd on PATH"), open_layer(packed, open_zstd):
        pass
