"""The command line: exit codes, errors without traceback, and commands that need no spec."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.places import ROOT


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return make(tmp_path / "project")


def test_a_missing_spec(tmp_path: Path) -> None:
    ran = Workbench(place=tmp_path).doit("bundle")
    assert ran.code == 3
    assert "there is no spec" in ran.err
    assert "spec=FILE" in ran.err


def test_all_problems_of_a_spec_at_once(bench: Workbench) -> None:
    bench.spec |= {"imagse": [], "files": [{"name": "../x", "source": "note.txt"}, {"name": "y", "source": "gone.txt"}]}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "did you mean" in ran.err
    assert "airgap.yaml:" in ran.err
    assert "gone.txt" in ran.err


def test_an_unknown_variable(bench: Workbench) -> None:
    ran = bench.doit("bundle", "sate=x")
    assert (ran.code, ran.out) == (3, "")
    assert "did you mean state=?" in ran.err


@pytest.mark.parametrize("command", ["bundle", "list"])
def test_started_elsewhere(bench: Workbench, command: str) -> None:
    argv = [sys.executable, "-m", "doit", "-f", str(ROOT / "dodo.py"), command]
    done = subprocess.run(argv, cwd=bench.place, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert f"start it there: cd {ROOT} && doit spec={bench.place / 'airgap.yaml'}" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "plan",
        "lock",
        "images",
        "adopt",
        "publish",
        "fetch",
        "backup",
        "rollback",
        "uninstall",
        "diagnose",
        "report",
        "rehearse",
        "graph",
        "info",
        "dumpdb",
        "schema",
    ],
)
def test_an_unknown_option(bench: Workbench, command: str) -> None:
    ran = bench.doit(command, "--nope")
    assert ran.code == 3
    assert ran.err == f"ERROR: option --nope not recognized; `doit help {command}` lists the options\n"


@pytest.mark.parametrize("words", [["graph"], ["schema"], ["plan", "bundle"]], ids=" ".join)
def test_a_reader_that_has_had_enough(bench: Workbench, words: list[str]) -> None:
    given, env = bench.command(*words)
    argv = [sys.executable, "-m", "doit", *given]
    run = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout
    assert run.stderr
    run.stdout.close()
    assert run.stderr.read() == ""
    run.stderr.close()
    assert run.wait(60) == 141


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
    [("dumpdb", "info STEP"), ("publish", "to=oci://"), ("fetch", "from=oci://"), ("backup", "key=FILE.crt")],
)
def test_what_the_command_line_lacks(bench: Workbench, command: str, said: str) -> None:
    ran = bench.doit(command)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_a_damaged_lock(bench: Workbench) -> None:
    (bench.place / "airgap.lock").write_text("{")
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "airgap.lock is not JSON" in ran.err


def test_a_bad_date(bench: Workbench) -> None:
    bench.env["SOURCE_DATE_EPOCH"] = "yesterday"
    ran = bench.doit("bundle")
    assert ran.code == 3
    assert "SOURCE_DATE_EPOCH='yesterday'" in ran.err


def test_verify_names_what_is_bad_and_deletes_nothing(bench: Workbench) -> None:
    assert bench.doit("bundle").code == 0
    path = bench.bundle / "manifest.txt"
    path.unlink()
    path.write_text("other")
    (bench.bundle / "extra").write_text("x")
    (bench.bundle / "files/note.txt").unlink()
    ran = bench.doit("verify")
    assert ran.code == 1
    for name in ("manifest.txt", "extra", "files/note.txt"):
        assert name in ran.err
    assert (bench.bundle / "extra").exists()


def test_verify_needs_no_spec(bench: Workbench, tmp_path: Path) -> None:
    assert bench.doit("bundle").code == 0
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={bench.bundle}")
    assert ran.code == 0
    assert "all as their checksums say" in ran.out
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={tmp_path / 'gone'}")
    assert ran.code == 1
    assert "gone" in ran.err


def test_the_stick_will_do(tmp_path: Path) -> None:
    bench = make(tmp_path / "project", bundle={"archive": True, "split": "4KiB"})
    assert bench.doit("bundle").code == 0
    stick = tmp_path / "stick"
    stick.mkdir()
    for path in bench.dist.glob("app-1.0.tar*"):
        path.rename(stick / path.name)
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={stick}")
    assert ran.code == 0, ran.err
    assert f"{stick / 'app-1.0.tar'}: " in ran.out
    (stick / "other.tar.sha256").touch()
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={stick}")
    assert ran.code == 3
    assert "holds several bundles: app-1.0.tar, other.tar\n  next: name one of them" in ran.err


@pytest.mark.parametrize("name", ["airgap", "manifest"])
def test_schema_prints_json(tmp_path: Path, name: str) -> None:
    ran = Workbench(place=tmp_path).doit("schema", name)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_of_something_else(tmp_path: Path) -> None:
    assert Workbench(place=tmp_path).doit("schema", "other").code == 3


def test_help_lists_the_commands(tmp_path: Path) -> None:
    out = Workbench(place=tmp_path).doit("help").out
    for command in ("plan", "lock", "schema", "list", "clean", "forget", "info", "tabcompletion"):
        assert f" {command} " in out
