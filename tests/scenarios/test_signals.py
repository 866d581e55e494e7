"""Signals at the start, in the middle, and those that whoever started the program wants to be ignored."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.places import ROOT


def started(argv: list[str], env: dict[str, str], cwd: Path = ROOT) -> "subprocess.Popen[str]":
    return subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("wrapper", "number"),
    [
        (["nohup"], signal.SIGHUP),
        (["sh", "-c", "trap '' INT; exec \"$@\"", "sh"], signal.SIGINT),
        (["sh", "-c", "trap '' TERM; exec \"$@\"", "sh"], signal.SIGTERM),
    ],
    ids=["nohup", "a job in the background", "TERM"],
)
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    bench: Workbench, wrapper: list[str], number: signal.Signals
) -> None:
    words, env = bench.command("bundle")
    run = started([*wrapper, sys.executable, "-m", "doit", *words], env)
    with run:
        while not ignores(run.pid, number):
            time.sleep(0.001)
        while run.poll() is None:
            run.send_signal(number)
            time.sleep(0.02)
        out, err = run.communicate()
    assert run.returncode == 0, out + err
    assert bench.doit("bundle").steps == []


def ignores(pid: int, number: int) -> bool:
    return bool(signals(pid, "SigIgn") & 1 << number - 1)


def catches(pid: int, number: int) -> bool:
    return bool(signals(pid, "SigCgt") & 1 << number - 1)


def signals(pid: int, kind: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1], 16) for line in status if line.startswith(f"{kind}:")), 0)


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.2, 0.3, 0.4])
def test_ctrl_c_while_all_is_imported_prints_no_traceback(bench: Workbench, delay: float) -> None:
    _, env = bundled(bench).command()
    run = started([sys.executable, str(bench.bundle / "airgap.pyz"), "verify"], env, bench.place)
    with run:
        while not catches(run.pid, signal.SIGINT) and run.poll() is None:
            time.sleep(0.001)  # Python itself is not up
        while catches(run.pid, signal.SIGINT) and run.poll() is None:
            time.sleep(0.001)  # the program's first line was not reached
        time.sleep(delay)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate()
    assert run.returncode in (-signal.SIGINT, 128 + signal.SIGINT, 0), out + err
    assert "Traceback" not in err
    assert delay or run.returncode
