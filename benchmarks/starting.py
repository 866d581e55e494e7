"""What it takes to start a program, by sh in the one runner and by subprocess: `python -m benchmarks.starting`.

Free and tied to this process, with little and with much memory resident: a fork copies its tables. And bytes of a
program's output, by sh's own pipes and by ours. Contenders take turns; the medians count.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import sh

from clients.programs.process import run
from clients.programs.stream import dump

PROGRAM = "/bin/true"
PAGE = 4096
# What tied a program before: a Python in between, which asks for it and becomes the program.
TIE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]), 0, 0, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def by_runner(*, tied: bool) -> None:
    """As all of this program starts others."""
    run([PROGRAM], subject="it", timeout=60, tied=tied)


def by_subprocess(*, tied: bool) -> None:
    """As it did before."""
    argv = [sys.executable, "-I", "-S", "-c", TIE, str(int(signal.SIGKILL)), PROGRAM] if tied else [PROGRAM]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, start_new_session=True)


def by_sh() -> None:
    """sh alone, reading what the program says itself."""
    sh.Command(PROGRAM)(_tty_out=False, _new_session=True)


STARTS: dict[str, Callable[[], None]] = {
    "the runner, free": lambda: by_runner(tied=False),
    "the runner, tied": lambda: by_runner(tied=True),
    "subprocess, free": lambda: by_subprocess(tied=False),
    "subprocess, tied": lambda: by_subprocess(tied=True),
    "sh alone, free": by_sh,
}


def lines(size: int) -> Sequence[str]:
    """A program that writes so many MB, in lines of 100 bytes."""
    script = f"import sys\nfor _ in range({size}): sys.stdout.write(('x' * 99 + chr(10)) * 10000)"
    return [sys.executable, "-c", script]


def streamed(size: int) -> None:
    """As a dump."""
    for _ in dump(lines(size), subject="it", env=os.environ, cwd=Path(tempfile.gettempdir()), mask=str):
        pass


def kept(size: int) -> None:
    """As what kubectl says."""
    run(lines(size), subject="it", timeout=600)


def kept_by_sh(size: int) -> None:
    """By sh's pipes."""
    argv = lines(size)
    sh.Command(argv[0])(*argv[1:], _tty_out=False)


BYTES: dict[str, Callable[[int], None]] = {
    "the runner's stream": streamed,
    "the runner, kept": kept,
    "sh alone, kept": kept_by_sh,
}


def timed(work: Callable[[], None]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def starts(rounds: int, sizes: Sequence[int]) -> Iterator[str]:
    """One line for each size of memory and each way."""
    for size in sizes:
        ballast = bytearray(size * 1024**2)
        ballast[::PAGE] = b"x" * len(ballast[::PAGE])
        runs: dict[str, list[float]] = {name: [] for name in STARTS}
        for turn in range(rounds + 1):
            for name, start in STARTS.items():
                seconds = timed(start)
                if turn:
                    runs[name].append(seconds)
        for name, found in runs.items():
            yield f"{size:4} MB  {name:18} {statistics.median(found) * 1000:6.1f} ms"


def throughput(rounds: int, size: int) -> Iterator[str]:
    """One line for each way."""
    runs = {name: [timed(lambda move=move: move(size)) for _ in range(rounds)] for name, move in BYTES.items()}
    for name, found in runs.items():
        yield f"{name:20} {size / statistics.median(found):6.0f} MB/s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starting", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--memory", type=int, nargs="+", default=[0, 100, 500], help="MB that are resident besides")
    parser.add_argument("--output", type=int, default=100, help="MB that a program writes")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, sh {sh.__version__}, {os.cpu_count()} processors")
    for line in starts(options.rounds, options.memory):
        print(line)
    for line in throughput(min(3, options.rounds), options.output):
        print(line)


if __name__ == "__main__":
    main()
