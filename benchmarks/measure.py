"""Runs commands and measures them from outside: wall time, peak memory, processor time."""

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RunError(Exception):
    """A command that was to be measured failed; the message shows the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took: seconds of wall time and of processor time, and the peak resident bytes of one process."""

    seconds: float
    processor: float
    peak: int

    def then(self, other: "Cost") -> "Cost":
        """Both, one after the other."""
        return Cost(
            seconds=self.seconds + other.seconds,
            processor=self.processor + other.processor,
            peak=max(self.peak, other.peak),
        )


NOTHING = Cost(seconds=0.0, processor=0.0, peak=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All runs of one contender, in order."""

    name: str
    version: str
    runs: tuple[Cost, ...]

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        """The highest, in bytes."""
        return max(run.peak for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """For --json; times in seconds, memory in bytes."""
        return {
            "name": self.name,
            "version": self.version,
            "median_seconds": round(self.seconds, 4),
            "runs_seconds": [round(run.seconds, 4) for run in self.runs],
            "median_processor_seconds": round(statistics.median(run.processor for run in self.runs), 4),
            "peak_bytes": self.peak,
        }


def run(argv: Sequence[str], *, env: Mapping[str, str], directory: Path, log: Path) -> Cost:
    """Run one command to its end, its output in `log`. A RunError when it fails."""
    figures = log.with_suffix(".cost")
    launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), str(figures)]
    with log.open("wb") as output:
        done = subprocess.run(
            [*launch, *argv],
            env=env,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise RunError(f"{' '.join(argv)} ended with {done.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    seconds, processor, peak = figures.read_text().split()
    return Cost(seconds=float(seconds), processor=float(processor), peak=int(peak) * 1024)


def total_size(paths: Sequence[Path]) -> int:
    """Bytes in all files below these paths, each inode once."""
    sizes = {}
    for path in paths:
        for file in path.rglob("*"):
            stat = file.lstat()
            if file.is_file() and not file.is_symlink():
                sizes[(stat.st_dev, stat.st_ino)] = stat.st_size
    return sum(sizes.values())
