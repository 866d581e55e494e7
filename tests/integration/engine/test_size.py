"""Large images through a Docker Engine: whatever their size, they are streamed."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.engine_bench import EngineBench, make_bench
from tests.fixtures.images.images import random_chunks
from tests.fixtures.parts.parts import Engine, program
from tests.fixtures.parts.registries import RunningRegistry
from tests.fixtures.places import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.slow]
MIB = 1024 * 1024
SIZE = 300 * MIB
# Runs a program of ours, then writes down the most memory (KiB) that this process ever had.
MEASURED = """
import runpy, sys
report, *sys.argv = sys.argv[1:]
try:
    if sys.argv[0] == "doit":
        runpy.run_module("doit", run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    status = open("/proc/self/status").read()
    open(report, "w").write(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


def measured(bench: EngineBench, words: list[str], env: dict[str, str], cwd: Path) -> int:
    """Run a program to its good end; the most memory it had, in KiB."""
    report = bench.place / "memory"
    argv = [sys.executable, "-c", MEASURED, str(report), *words]
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(report.read_text())


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
    outside = measured(bench, ["doit", *words], env, ROOT)
    assert (bench.bench.bundle / "images/large.tar").stat().st_size > SIZE
    engine.clear()
    program_inside = str(bench.bench.bundle / "airgap.pyz")
    words = [program_inside, "install", "engine=docker", f"state={bench.state}"]
    inside = measured(bench, words, {**os.environ, **bench.env}, bench.place)
    print(f"outside {outside} KiB, inside {inside} KiB")
    assert outside < 100 * 1024
    assert inside < 100 * 1024
    assert bench.received()["large"]["ref"] == f"{bench.prefix}/large:1"
