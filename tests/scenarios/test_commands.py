"""The command line: exit codes, errors without traceback, and commands that need no spec."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, bundled, make
from tests.fixtures.places import ROOT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("registry=:::", "registry=:::: ':::' is no place in a registry"),
        ("registry=https://registry.internal/team", "'https://registry.internal/team' is an address"),
        ("site=nowhere.yaml", "there is no such file"),
    ],
)
def test_what_an_install_is_given(bench: Workbench, given: str, said: str) -> None:
    ran = bench.doit("install", given)
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err


def test_an_unknown_task(bench: Workbench) -> None:
    assert bench.doit("bundel").code == 3
    assert bench.doit("plan", "bundel").code == 3
    assert bench.doit("lock", "three").code == 3
    assert bench.doit("info", "pin:three").code == 3


@pytest.mark.parametrize(
    ("command", "said"),
    [("publish", "to=oci://"), ("fetch", "from=oci://"), ("backup", "key=FILE.crt")],
)
def test_what_the_command_line_lacks(bench: Workbench, command: str, said: str) -> None:
    ran = bench.doit(command)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_help_lists_the_commands(tmp_path: Path) -> None:
    out = Workbench(place=tmp_path).doit("help").out
    for command in ("plan", "lock", "schema", "list", "clean", "forget", "info", "completion"):
        assert f" {command} " in out


# Runs doit and leaves behind where it connected to, and its peak of memory in MB.
MEASURED = """
import os, resource, runpy, sys
asked = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        asked.append(event)
sys.addaudithook(hook)
place = sys.argv.pop(1)
sys.argv[0] = "doit"
try:
    runpy.run_module("doit", run_name="__main__", alter_sys=True)
finally:
    open(place, "w").write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} {len(asked)}")
"""


def test_the_state_of_all_steps_asks_nobody_inside_and_takes_little_memory(tmp_path: Path) -> None:
    """The steps of the air-gapped side are listed here too; of 1000 images they take no more than their number."""
    peaks = []
    for count in (1, 1000):
        bench = make(tmp_path / str(count), images=["one"])
        bench.spec["install"] = {"secrets": [{"name": "s", "namespaces": ["a"], "generate": "hex64"}]}
        bench.write()
        bundled(bench)
        bench.spec["images"] = [
            {"name": f"i{number}", "source": "oci:images/one", "target": f"i{number}:1.0"} for number in range(count)
        ]
        bench.write()
        given, env = bench.command("list", "--all", "--status")
        argv = [sys.executable, "-c", MEASURED, str(tmp_path / "peak"), *given]
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=300)
        assert sum(" push:i" in line for line in done.stdout.splitlines()) == count
        peak, asked = (tmp_path / "peak").read_text().split()
        assert asked == "0"
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 100, "MB"
