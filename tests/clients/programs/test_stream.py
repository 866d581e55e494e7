import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.errors import FormatError, ProgramError
from bundle.sbom._filesystem import open_layer
from clients.programs.stream import dump, open_zstd

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


def dumped(script: str, tmp_path: Path) -> Iterator[bytes]:
    argv = [sys.executable, "-c", script]
    return dump(
        argv, subject="dump 'x'", env=os.environ, cwd=tmp_path, mask=lambda text: text.replace("hunter2", "***")
    )


def test_a_dump_is_what_the_program_writes(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('x' * 3_000_000); sys.stderr.write('y' * 300_000)"
    assert b"".join(dumped(script, tmp_path)) == b"x" * 3_000_000


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; print('part', flush=True); sys.exit('no hunter2 for you')", r"ended with 1: no \*\*\* for you"),
        ("", "wrote nothing"),
    ],
    ids=["fails", "empty"],
)
def test_a_dump_that_fails_says_so_at_its_end(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(ProgramError, match=told):
        list(dumped(script, tmp_path))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="dump 'x': nothing-like-it can't be run"):
        list(dump(["nothing-like-it"], subject="dump 'x'", env=os.environ, cwd=tmp_path, mask=str))


def test_a_dump_that_nobody_reads_on_is_ended(tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); open(1, 'wb').write(b'x' * 2**20); time.sleep(600)"
    stream = dumped(script, tmp_path)
    number = int(next(stream).split()[0])
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
