"""Signals at the start, in the middle, and those that whoever started the program wants to be ignored."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled
from tests.fixtures.places import ROOT
from tests.fixtures.servers.listeners import listening


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


def stalling(connection: socket.socket) -> None:
    """Promise much, send a part, and then nothing, until the other side hangs up."""
    while connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(4_000_000))


def test_ctrl_c_at_a_terminal_takes_the_bars_away(bench: Workbench) -> None:
    with listening(stalling) as port:
        host = f"127.0.0.1:{port}"
        bench.spec["registries"] = {host: {"plain_http": True}}
        bench.spec["files"] = [{"name": "big", "source": f"http://{host}/big", "sha256": "0" * 64}]
        bench.write()
        words, env = bench.command("bundle")
        master, terminal = pty.openpty()
        run = subprocess.Popen(
            [sys.executable, "-m", "doit", *words], cwd=ROOT, env={**env, "TERM": "xterm", "COLUMNS": "60"},
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        with run:
            text = shown_until(master, "file 'big'")
            run.send_signal(signal.SIGINT)
            text += shown_until(master, "")
        os.close(master)
    assert run.returncode == 128 + signal.SIGINT
    assert "━" in text, "there was a bar"
    assert "Traceback" not in text
    _, told, after = text.rpartition("stopped by SIGINT; completed steps are kept; run it again to continue")
    assert told
    assert "━" not in after


def shown_until(master: int, wanted: str) -> str:
    """What a terminal shows until it has shown this; all that there is for nothing."""
    text = b""
    while not (wanted and wanted.encode() in text and "━".encode() in text):
        try:
            more = os.read(master, 65536)
        except OSError:  # nobody has it open any more
            break
        if not more:
            break
        text += more
    return text.decode(errors="replace")
