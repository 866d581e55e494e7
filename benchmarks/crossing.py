"""The whole job, both halves: out of one registry into one file that is carried, and from it into another registry."""

import argparse
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.carriers import Carrier, Ours, carriers
from benchmarks.contenders import ROOT
from benchmarks.dataset import FULL, SMOKE, DataSet, fill, touch_memory, warm, warm_files
from tests.fixtures.parts.file_systems import file_system
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry, cncf_registry

_CGROUP = Path("/sys/fs/cgroup/memory/airgap-bench")
_MEMORY = 160 * 1000 * 1000  # bytes; less than the bundle
_SECTOR = 512  # bytes, as /sys/block/*/stat counts


def crossing(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Everybody makes the file and brings it in, in turns; then what is written beside the cache, and read inside."""
    taking_part, absent = carriers(options.peers)
    for reason in absent:
        print(f"left out: {reason}")
    halves: dict[str, tuple[list[measure.Cost], list[measure.Cost]]] = {each.name: ([], []) for each in taking_part}
    with _registry(work / "outside") as source:
        data = fill(source, SMOKE if options.smoke else FULL)
        for _ in range(options.rounds):
            for carrier in taking_part:
                warm(source)
                with _turn(work / "turn") as place:
                    for costs, cost in zip(halves[carrier.name], _cross(carrier, source, data, place), strict=True):
                        costs.append(cost)
        beside, read = _bytes(source, data, work)
    report = _report(taking_part, halves, data)
    print(f"bytes written beside the cache: {beside / data.size:.2f} x   read from the medium inside: {read or '-'} x")
    return {"benchmark": "crossing", "left_out": absent, "bytes": data.size, "read_x": read,
            "written_beside_cache_x": round(beside / data.size, 3), "results": report}  # fmt: skip


def _cross(carrier: Carrier, source: RunningRegistry, data: DataSet, place: Path) -> tuple[measure.Cost, measure.Cost]:
    (place / "a").mkdir()
    out = _measured(carrier.outside(source, data, place / "a"), place / "a", data.size)
    carried = carrier.carried(place / "a")
    with _registry(place / "registry") as target:
        (place / "b").mkdir()
        warm_files(carried.parent)
        into = _measured(carrier.inside(target, carried, data, place / "b"), place / "b", data.size)
        stored = measure.total_size([target.data])
    if stored < data.size:
        raise measure.RunError(f"{carrier.name} stored {stored} bytes, expected at least {data.size}")
    return out, into


def _measured(commands: Iterator[Sequence[str]], place: Path, size: int) -> measure.Cost:
    """What the commands of one half take together, each with memory at hand (see touch_memory)."""
    os.sync()
    cost = measure.NOTHING
    for argv in commands:
        touch_memory(place, 2 * size)
        cost = cost.then(_run(argv, place))
    return cost


def _run(argv: Sequence[str], place: Path) -> measure.Cost:
    home = {"DOCKER_CONFIG": str(place), "REGISTRY_AUTH_FILE": str(place / "auth.json"), "NO_PROXY": "127.0.0.1"}
    return measure.run(argv, env={**os.environ, **home}, directory=ROOT, log=place / "log")


def _bytes(source: RunningRegistry, data: DataSet, work: Path) -> tuple[int, float | None]:
    """What our bundle leaves beside its cache, and how often its bytes are read inside where memory is short.

    The latter is None where no loop device or no memory cgroup can be made.
    """
    ours = Ours(full=False)
    with _turn(work / "turn") as place, ExitStack() as stack:
        (place / "a").mkdir()
        (place / "b").mkdir()
        for argv in ours.outside(source, data, place / "a"):
            _run(argv, place)
        whole, cache = measure.total_size([place / "a"]), measure.total_size([place / "a/state/cache"])
        carried = ours.carried(place / "a")
        try:
            medium = stack.enter_context(file_system("ext4", place / "medium", size=2 * carried.stat().st_size + 2**26))
            _CGROUP.mkdir()
            stack.callback(_CGROUP.rmdir)
            (_CGROUP / "memory.limit_in_bytes").write_text(str(_MEMORY))
        except (OSError, PartError) as err:
            print(f"left out: what is read from the medium: {err}")
            return whole - cache, None
        for path in (carried, carried.with_name(f"{carried.name}.sha256")):
            shutil.copy(path, medium.place)
        with _registry(place / "registry") as target:
            os.sync()
            for path in medium.place.iterdir():  # out of the page cache
                if path.is_file():
                    with path.open("rb") as file:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            before = _sectors(medium.device)
            (argv,) = ours.inside(target, medium.place / carried.name, data, place / "b")
            joined = f'echo $$ > {_CGROUP}/cgroup.procs && exec "$@"'
            _run(["sh", "-c", joined, "sh", *argv], place)
            read = (_sectors(medium.device) - before) * _SECTOR
        return whole - cache, round(read / carried.stat().st_size, 3)


def _sectors(device: str) -> int:
    """How many were read from a block device so far (Documentation/block/stat.rst)."""
    return int(Path("/sys/block", Path(device).name, "stat").read_text().split()[2])


def _report(
    taking_part: Sequence[Carrier], halves: Mapping[str, tuple[list[measure.Cost], list[measure.Cost]]], data: DataSet
) -> list[dict[str, Any]]:
    """Print the table, each half and the sum against both ways by hand; returns all rounds."""
    rows = []
    for carrier in taking_part:
        out, into = halves[carrier.name]
        both = [one.then(other) for one, other in zip(out, into, strict=True)]
        parts = {"outside": out, "inside": into, "whole": both}
        rows.append({key: measure.Result(name=carrier.name, version=carrier.version, runs=tuple(costs))
                     for key, costs in parts.items()})  # fmt: skip
    by_hand = {row["whole"].name: row for row in rows if row["whole"].name.endswith(" + tar")}
    print(f"crossing: {len(data.images)} images, {data.size / 1e6:.0f} MB; times by hand over ours in brackets")
    print(f"{'':20} {'version':>8}" + "".join(f"{half:>26}" for half in rows[0]) + f"{'peak RSS':>10}")
    for row in rows:
        cells = []
        for half, result in row.items():
            ratios = " ".join(f"{peer[half].seconds / result.seconds:.2f}" for peer in by_hand.values())
            cells.append(f"{f'{result.seconds:.2f} s ({ratios})':>26}")
        whole = row["whole"]
        print(f"{whole.name:20} {whole.version:>8}{''.join(cells)}{whole.peak / 1e6:7.0f} MB")
    return [{half: result.to_dict() for half, result in row.items()} for row in rows]


@contextmanager
def _turn(place: Path) -> Iterator[Path]:
    """An empty directory, gone afterwards."""
    place.mkdir()
    yield place
    shutil.rmtree(place)


@contextmanager
def _registry(root: Path) -> Iterator[RunningRegistry]:
    root.mkdir()
    with cncf_registry(root) as registry:
        yield registry
