"""Large images through a Docker Engine: whatever their size, they are streamed."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.engine_bench import make_bench
from tests.fixtures.benches.memory import MIB, most_memory
from tests.fixtures.images.images import random_chunks
from tests.fixtures.parts.parts import Engine, program
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.places import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.slow]
SIZE = 300 * MIB


def import_large(engine: Engine, name: str, size: int) -> None:
    """Make an image with one file of so many bytes on the Engine, never in memory as a whole."""
    argv = [program("docker"), "--host", engine.host, "import", "-", name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin
        for piece in _tar(size):
            process.stdin.write(piece)
    assert process.returncode == 0


def _tar(size: int) -> Iterator[bytes]:
    entry = tarfile.TarInfo("data/large")
    entry.size = size
    yield entry.tobuf(tarfile.GNU_FORMAT)
    yield from random_chunks("large", size)
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def test_memory_does_not_grow_with_the_image(tmp_path: Path, registry: RunningRegistry, engine: Engine) -> None:
    bench = make_bench(tmp_path / "engine-size", registry, engine)
    import_large(engine, "team/large:1", SIZE)
    image = {"name": "large", "source": "docker-daemon:team/large:1"}
    bench.write([image], layout="docker-archive")
    words, env = bench.bench.command("bundle")
    outside = most_memory(bench.place, ["doit", *words], env, ROOT)
    assert (bench.bench.bundle / "images/large.tar").stat().st_size > SIZE
    engine.clear()
    program_inside = str(bench.bench.bundle / "airgap.pyz")
    words = [program_inside, "install", "engine=docker", f"state={bench.state}"]
    inside = most_memory(bench.place, words, {**os.environ, **bench.env}, bench.place)
    print(f"outside {outside} bytes, inside {inside} bytes")
    assert outside < 100 * MIB
    assert inside < 100 * MIB
    assert bench.received()["large"]["ref"] == f"{bench.prefix}/large:1"
