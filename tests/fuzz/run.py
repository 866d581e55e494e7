"""The longer fuzz: `doit -f dev.py fuzz`, or `python -m tests.fuzz.run [MINUTES]`. It ends with 1 where anything fell.

What fell, or took longer than a second, is kept in build/fuzz.
"""

import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.targets import TARGETS, inputs

SLOW = 1.0  # seconds
KEPT = Path("build/fuzz")


def main() -> int:
    """Give each target its share of the time and print what came of it."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    share, seed = minutes * 60 / len(TARGETS), time.time_ns()
    print(f"{len(TARGETS)} targets, {share:.1f} s each, seed {seed}")
    total = crashes = 0
    slowest = (0.0, "")
    for name, target in TARGETS.items():
        rng, runs, fallen, worst = random.Random(f"{seed} {name}"), 0, 0, 0.0
        ends = time.monotonic() + share
        for data in inputs(target, rng):
            if time.monotonic() > ends:
                break
            began = time.process_time()
            try:
                target(data)
            except Exception:
                fallen += 1
                _keep(name, data, traceback.format_exc())
            took = time.process_time() - began
            if took > SLOW:
                _keep(f"{name} slow", data, f"{took:.1f} s\n")
            runs, worst = runs + 1, max(worst, took)
        print(f"{name:20} {runs:8} runs {fallen:4} crashes, slowest {worst:.3f} s", flush=True)
        total, crashes, slowest = total + runs, crashes + fallen, max(slowest, (worst, name))
    print(f"{total} runs, {crashes} crashes, slowest {slowest[0]:.3f} s ({slowest[1]})")
    return 1 if crashes or slowest[0] > SLOW else 0


def _keep(name: str, data: bytes, told: str) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    number = len(list(KEPT.iterdir()))
    if number < 200:
        (KEPT / f"{name.replace(' ', '-')}-{number}").write_bytes(data)
        (KEPT / f"{name.replace(' ', '-')}-{number}.txt").write_text(told)


if __name__ == "__main__":
    raise SystemExit(main())
