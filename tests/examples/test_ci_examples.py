"""The CI examples do what they say: their scripts run in a repository laid out as docs/ci.md shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.places import ROOT

CI = ROOT / "examples" / "ci"
PROGRAM = ("bundle", "clients", "schema", "tasks", "dodo.py", "pyproject.toml", "requirements.lock", "tools/wheel")
LEFT_OUT = ("pip install", "doit rehearse")  # a package index is not at hand; rehearsed once below


def read(name: str) -> dict[str, Any]:
    """A pipeline, without YAML 1.1's reading of `on` as true."""
    return dict(yaml.load((CI / name).read_text(), yaml.BaseLoader))


WARNED = {int(code) for code in read("gitlab-ci.yml")["plan"]["allow_failure"]["exit_codes"]}


def gitlab(job: str) -> list[str]:
    """The lines that GitLab would run; it flattens lists in lists."""
    return [
        line for item in read("gitlab-ci.yml")[job]["script"] for line in ([item] if isinstance(item, str) else item)
    ]


def github(job: str) -> list[str]:
    """The scripts of a job's steps, each its own shell."""
    steps = read("github-actions.yml")["jobs"][job]["steps"]
    return [f"(cd airgap; {step['run']}\n)" for step in steps if "run" in step]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the hello example as its spec, and this program in airgap/."""
    place = tmp_path / "repository"
    shutil.copytree(ROOT / "examples" / "hello", place, ignore=shutil.ignore_patterns("airgap.lock", ".airgap"))
    spec = (place / "airgap.yaml").read_text()
    (place / "airgap.yaml").write_text(spec.replace("version: 1.0.0}", "version: 1.0.0, archive: true}", 1))
    (place / ".gitignore").write_text("airgap/\ndist/\n.airgap/\n")
    for name in PROGRAM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / "airgap" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / "airgap" / name)
    git(place, "init", "--quiet")
    commit(place)
    return place


@pytest.mark.parametrize("name", ["gitlab-ci.yml", "github-actions.yml"])
def test_what_comes_from_elsewhere_is_pinned(name: str) -> None:
    """Actions by commit, images by digest, packages by hash."""
    text = (CI / name).read_text()
    used = re.findall(r"(?:uses|image): *(\S+)", text)
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert used
    assert installs
    assert [each for each in used if not re.search(r"@([0-9a-f]{40}|sha256:[0-9a-f]{64})$", each)] == []
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []


def git(place: Path, *args: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *args], cwd=place, check=True, capture_output=True)


def commit(place: Path) -> None:
    git(place, "add", ".")
    git(place, "commit", "--quiet", "-m", "change")


def run(place: Path, lines: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a job's lines in one shell, as the runners do, with the program of airgap/ as though it were installed."""
    kept = [line for line in lines if not any(f"{word} " in line for word in LEFT_OUT)]
    inherited = {key: value for key, value in os.environ.items() if key not in ("SOURCE_DATE_EPOCH", "DOCKER_CONFIG")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(kept)],
        cwd=place,
        env={**inherited, "PATH": path, "CI": "true", "PYTHONPATH": str(place / "airgap" / "tools" / "wheel"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=["gitlab", "github"])
def ci(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The jobs' lines, and the environment that the runner gives them."""
    logins = json.dumps({"auths": {}})
    (tmp_path / "logins").write_text(logins)
    if request.param == "gitlab":
        variables = read("gitlab-ci.yml")["variables"]
        docker = variables["DOCKER_CONFIG"].replace("$CI_PROJECT_DIR", str(tmp_path / "repository"))
        env = {"AIRGAP": variables["AIRGAP"], "DOCKER_CONFIG": docker, "REGISTRY_LOGINS": str(tmp_path / "logins")}
        return {job: gitlab(job) for job in ("plan", "bundle")}, env
    env = {
        "AIRGAP": read("github-actions.yml")["env"]["AIRGAP"],
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY_LOGINS": logins,
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    return {job: github(job) for job in ("plan", "bundle")}, env


def test_a_change_is_planned(repository: Path, ci: tuple[dict[str, list[str]], dict[str, str]]) -> None:
    jobs, env = ci
    planned = run(repository, jobs["plan"], env)
    assert "steps would run, 0 are up to date" in planned.stdout
    assert planned.returncode in {0, 1}
    if "GITHUB_STEP_SUMMARY" in env:
        assert planned.returncode == 0
        assert planned.stdout in Path(env["GITHUB_STEP_SUMMARY"]).read_text()
    (repository / "airgap.yaml").write_text("version: 2")
    assert run(repository, jobs["plan"], env).returncode not in {0, *WARNED}


def test_only_what_is_pinned_in_git_passes(repository: Path, ci: tuple[dict[str, list[str]], dict[str, str]]) -> None:
    jobs, env = ci
    unpinned = run(repository, jobs["bundle"], env)
    assert (unpinned.returncode, "+++ b/airgap.lock" in unpinned.stdout) == (1, True)
    commit(repository)
    done = run(repository, jobs["bundle"], env)
    assert (done.returncode, "FAILED" in done.stderr) == (0, False)
    assert "all checksums match" in done.stdout
    assert (repository / "dist" / "hello-1.0.0.tar").is_file()
    assert (Path(env["DOCKER_CONFIG"]) / "config.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("job", ["gitlab", "github"])
def test_what_is_kept_is_there(repository: Path, job: str) -> None:
    if job == "gitlab":
        kept = read("gitlab-ci.yml")["bundle"]["artifacts"]["paths"]
    else:
        kept = read("github-actions.yml")["jobs"]["bundle"]["steps"][-1]["with"]["path"].split()
    argv = [sys.executable, "-m", "doit", "rehearse", "spec=../airgap.yaml", "out=../dist"]
    env = {key: value for key, value in os.environ.items() if key != "KUBEBUILDER_ASSETS"}  # a registry is enough here
    env["PYTHONPATH"] = str(repository / "airgap" / "tools" / "wheel")
    subprocess.run(argv, cwd=repository / "airgap", env=env, check=True, capture_output=True)
    found = {pattern: sorted(path.name for path in repository.glob(pattern)) for pattern in kept}
    assert found == {
        "dist/*.tar*": ["hello-1.0.0.tar", "hello-1.0.0.tar.sha256"],
        "dist/*/manifest.json": ["manifest.json"],
        "dist/*/manifest.txt": ["manifest.txt"],
        ".airgap/rehearsal.json": ["rehearsal.json"],
    }
