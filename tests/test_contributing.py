"""The contributor's door: what CONTRIBUTING.md names is there, and `.ci/run` tells of every stage."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.cli.commands import COMMANDS
from tests.fixtures.places import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
SCRIPTS = (
    ".ci/run",
    "tools/build",
    "tools/cosign",
    "tools/kubernetes/oldest/build",
    "tools/parts",
    "tools/registry",
    "tools/scanner/build",
    "tools/venv",
)
DOIT = """#!/bin/sh
echo "doit $*"
[ "$3" != "$BAD" ]
"""
TOOLS = {
    "parts": "echo parts",
    "venv": f"mkdir -p $1/bin; cat >$1/bin/doit <<'END'\n{DOIT}END\nchmod +x $1/bin/doit",
    "build": '[ "$BAD" != build ]; echo /made/kubernetes',
    "kubernetes/oldest/build": "echo /made/oldest",
    "cosign": "echo /made/cosign",
    "registry": "echo /made/registry",
    "engines": "echo /made/engines",
    "scanner/build": "echo /made/scanner",
}
PYTEST = (
    "$ python3 -m venv --help >/dev/null && "
    'echo "$KUBEBUILDER_ASSETS $OLDEST $COSIGN $REGISTRY_V3 $ENGINES $SCANNER $PYTEST_ADDOPTS" && [ "$BAD" != pytest'
)


def tasks() -> set[str]:
    """The tasks of dev.py."""
    tree = ast.parse((ROOT / "dev.py").read_text())
    return {node.name[5:] for node in tree.body if isinstance(node, ast.FunctionDef) if node.name.startswith("task_")}


def test_developers_tasks_are_listed() -> None:
    argv = [sys.executable, "-m", "doit", "-f", "dev.py", "list"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == tasks() >= {"lint", "types", "test", "bench"}
    assert tasks() & COMMANDS.keys() == set()


@pytest.mark.parametrize(("body", "code"), [("pass", 0), ("assert 1 == 2", 1)], ids=["good", "bad"])
def test_a_task_fails_with_its_program(tmp_path: Path, body: str, code: int) -> None:
    shutil.copy(ROOT / "dev.py", tmp_path)
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {body}\n")
    argv = [sys.executable, "-m", "doit", "-f", "dev.py", "test"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("1 failed" if code else "1 passed") in done.stdout
    assert {path.name for path in tmp_path.iterdir()} - {".pytest_cache", "__pycache__"} == {"dev.py", "test_it.py"}


def test_what_is_named_is_there() -> None:
    paths = set(
        re.findall(r"[`(](?:\$ )?((?:\.ci|tests|tools|docs|bundle)/[\w./-]*\w|[\w.]+\.(?:md|py|toml|lock))[`)]", TEXT)
    )
    paths |= set(re.findall(r"^\$ (?:sudo )?(?:pytest )?((?:tools|tests)/[\w./]+)", TEXT, re.M))
    assert {
        "tools/venv",
        "tools/parts",
        ".ci/run",
        "requirements.lock",
        "tests/bundle/storage/test_blob_store.py",
    } <= paths
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_hooks_are_local_and_run_what_is_there() -> None:
    assert [repo["repo"] for repo in HOOKS] == ["local"]
    for hook in HOOKS[0]["hooks"]:
        words = hook["entry"].split()
        assert hook["language"] == "pygrep" or (words[:3] == [".venv/bin/doit", "-f", "dev.py"] and words[3] in tasks())


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        pytest.param("x" * 71, False, id="71"),
        pytest.param("x" * 72, True, id="72"),
        pytest.param("x\n\n" + "y" * 100, False, id="body"),
        pytest.param("x" * 30 + "\n" + "y" * 60, False, id="two lines"),
    ],
)
def test_the_length_of_the_subject(message: str, refused: bool) -> None:
    hook = next(hook for hook in HOOKS[0]["hooks"] if hook["id"] == "subject")
    assert (hook["args"], hook["stages"]) == (["--multiline"], ["commit-msg"])
    assert bool(re.search(hook["entry"], message, re.MULTILINE | re.DOTALL)) == refused  # as pre-commit searches then


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.parametrize(("words", "code"), [([], 1), (["--missing"], 1), (["--mising"], 2)])
def test_parts_that_are_missing(words: list[str], code: int, tmp_path: Path) -> None:
    # Nothing is on PATH, and nobody may install: `id` of the effective user is not asked where root runs the tests.
    argv = ["/bin/bash", ROOT / "tools/parts", *words]
    if not words and os.geteuid() == 0:
        argv = [shutil.which("setpriv") or "setpriv", "--reuid=65534", "--clear-groups", *argv]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == code
    if code == 1:
        assert "skopeo" in (done.stdout.splitlines() if words else done.stderr)


@pytest.mark.parametrize("bad", ["", "lint", "build", "pytest"])
def test_ci_tells_of_every_stage(bad: str, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    for name, body in TOOLS.items():
        (tmp_path / "tools" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tools" / name).write_text(f"#!/bin/sh -e\n{body}\n")
        (tmp_path / "tools" / name).chmod(0o755)
    (tmp_path / "README.md").write_text(f"{PYTEST} ] && echo 5 passed, by pytest\n")
    (tmp_path / "bin").mkdir()  # with no other Python
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    made = ("KUBEBUILDER_ASSETS", "OLDEST", "COSIGN", "REGISTRY_V3", "ENGINES", "SCANNER")
    kept = {key: value for key, value in os.environ.items() if key not in made}
    env = {**kept, "BAD": bad, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(tmp_path / ".ci/run", cwd="/", env=env, capture_output=True, text=True, check=False)
    stages = dict(re.findall(r"^-- (.*): (ok|FAILED)(?: \(\d+\))?, \d+ s$", done.stdout, re.M))
    names = {"": "none", "lint": "lint", "build": "tools", "pytest": "tests, as README.md says"}
    assert list(stages) == [
        "real parts",
        "venv",
        "lint",
        "types",
        "locked versions",
        "tools",
        "oldest Kubernetes",
        "cosign",
        "registry 3",
        "newer engines",
        "scanner",
        "other Pythons, unit tests",
        "tests, as README.md says",
    ]
    assert {name for name, result in stages.items() if result == "FAILED"} == {names[bad]} - {"none"}
    assert re.fullmatch(r"== \d+ s in all, failed: " + names[bad], done.stdout.splitlines()[-1])
    assert done.returncode == (1 if bad else 0)
    assert "doit -f dev.py types" in done.stdout
    built = "" if bad == "build" else "/made/kubernetes"
    others = "/made/oldest /made/cosign /made/registry /made/engines /made/scanner"
    assert f"{built} {others} -n 2 --dist loadfile --cov" in done.stdout
    assert ("5 passed, by pytest" in done.stdout.splitlines()) == (bad != "pytest")


def test_readme_has_one_command_for_the_tests() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (python3 -m venv .*pytest)$", text, re.M)
    assert commands == ["python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"]
