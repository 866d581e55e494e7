"""What the benchmarks report is the contender's own."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Cost, Result, RunError, run, total_size

MIB = 1024 * 1024


def cost_of(tmp_path: Path, *argv: str) -> Cost:
    return run(argv, env=os.environ, directory=tmp_path, log=tmp_path / "log")


def test_peak_is_the_commands_own(tmp_path: Path) -> None:
    ballast = bytes(1) * (100 * MIB)
    small = cost_of(tmp_path, "true")
    assert small.peak < 30 * MIB, f"counted with our own {len(ballast)} bytes"
    assert cost_of(tmp_path, sys.executable, "-c", f"bytes(1) * {64 * MIB}").peak > 64 * MIB


def test_a_failure_shows_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)ended with 3.*no such image"):
        cost_of(tmp_path, "sh", "-c", "echo no such image >&2; exit 3")


def test_costs_add_up() -> None:
    first, second = Cost(seconds=1.0, processor=0.5, peak=10), Cost(seconds=2.0, processor=0.25, peak=7)
    assert first.then(second) == Cost(seconds=3.0, processor=0.75, peak=10)


def test_result_is_the_median_and_the_highest_peak() -> None:
    runs = tuple(Cost(seconds=seconds, processor=seconds, peak=int(seconds)) for seconds in (9.0, 1.0, 2.0))
    result = Result(name="x", version="1", runs=runs)
    assert (result.seconds, result.peak) == (2.0, 9)
    assert result.to_dict()["runs_seconds"] == [9.0, 1.0, 2.0]


def test_linked_files_count_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert total_size([tmp_path]) == 10
