"""doit's `run` as ours: what a failure elsewhere does to what was done before."""

import subprocess
import sys
from pathlib import Path

from tests.fixtures.places import ROOT

DODO = """
from pathlib import Path
from doit.tools import run_once
import tasks.cli.run
def fail():
    assert not Path("broken").exists()
def note(name):
    with open("ran", "a") as file:
        file.write(name + "\\n")
def task_check():
    return {"actions": [fail], "uptodate": [False]}
def task_before():
    return {"actions": [(note, ["before"])], "uptodate": [run_once], "task_dep": ["check"]}
def task_after():
    return {"actions": [(note, ["after"])], "uptodate": [run_once], "task_dep": ["before"]}
"""

PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
import dodo_here
plugins = {{"COMMAND": {{"run": "tasks.cli.run:Run"}}, "GLOBAL": {{"backend": "json"}}}}
sys.exit(DoitMain(ModuleTaskLoader(dodo_here), config_filenames=(), extra_config=plugins).run(
    ["run", "-n", "2", "-P", "thread", "--continue"]))
"""


def test_what_is_not_reached_stays_done(tmp_path: Path) -> None:
    (tmp_path / "dodo_here.py").write_text(DODO)

    def run() -> tuple[int, str]:
        program = PROGRAM.format(root=str(ROOT))
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    assert run() == (0, "")
    (tmp_path / "broken").touch()
    assert run()[0] != 0
    (tmp_path / "broken").unlink()
    assert run() == (0, "")
    assert (tmp_path / "ran").read_text().split() == ["before", "after"]
