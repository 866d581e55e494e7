"""Helm over a stand-in program: versions 3 and 4, what they are asked, their words as errors, and recovery."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProgramError, ReleaseError
from clients.cluster.helm import Helm
from clients.cluster.release import Release
from tests.fixtures.made.objects import past

STAND_IN = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
env >"$here/env"
ls "$HELM_CONFIG_HOME" "$HELM_PLUGINS" 2>/dev/null >>"$here/listed"
case "$1" in version) cat "$here/version"; exit 0;; esac
cat "$here/$1.stdout" 2>/dev/null
cat "$here/$1.stderr" >&2 2>/dev/null && exit 1
exit 0
"""
UPGRADED = {
    "name": "web",
    "namespace": "shop",
    "version": 3,
    "info": {"status": "deployed", "description": "bundle 7", "last_deployed": "2026-01-01T00:00:00Z"},
    "chart": {"metadata": {"name": "shop", "version": "1.2.3", "appVersion": "9"}},
    "config": {"password": "hunter2"},
    "manifest": "kind: Secret",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "helm-here"
    place.mkdir()
    program = place / "helm"
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return place


def answering(home: Path, version: str = "v3.19.0", /, **answers: Any) -> Helm:
    (home / "version").write_text(version)
    for name, answer in answers.items():
        command, _, stream = name.partition("_")
        (home / f"{command}.{stream}").write_text(answer if isinstance(answer, str) else json.dumps(answer))
    return Helm(home / "helm", kubeconfig=Path("/k/config"), context="prod", secrets=["hunter2"])


def asked(home: Path) -> list[str]:
    return (home / "asked").read_text().splitlines()


def upgrade(helm: Helm, tmp_path: Path, **options: Any) -> Release:
    chart = tmp_path / "shop-1.2.3.tgz"
    return helm.upgrade_install("web", chart, namespace="shop", values=tmp_path / "v.json", timeout=90, **options)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("v3.8.0", "3.8.0", id="oldest"),
        pytest.param("v3.19.0+gabc", "3.19.0+gabc", id="3"),
        pytest.param("v4.2.4", "4.2.4", id="4"),
    ],
)
def test_versions(home: Path, version: str, expected: str) -> None:
    helm = answering(home, version)
    assert str(helm.version()) == expected
    helm.version()
    assert len(asked(home)) == 1


@pytest.mark.parametrize(
    ("version", "message"),
    [
        pytest.param("v3.7.2", r"is helm 3\.7\.2, expected 3\.8\.0 or later, or 4", id="too-old"),
        pytest.param("v2.17.0", r"is helm 2\.17\.0, expected 3\.8\.0 or later", id="2"),
        pytest.param("v5.0.0", r"is helm 5\.0\.0, expected 3\.8\.0 or later", id="unknown"),
        pytest.param("hello", r"is no helm: it answers 'hello'", id="another-program"),
    ],
)
def test_versions_that_do_not_do(home: Path, version: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message) as caught:
        answering(home, version).version()
    assert "tool: true" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "dry_run", "flags", "without"),
    [
        # What fails is taken back by whoever looks after it (test_rollout.py): helm would wait for that in silence.
        pytest.param("v3.19.0", False, "--wait --wait-for-jobs --timeout=90s ", "--atomic", id="3"),
        pytest.param("v4.2.4", False, "--wait --wait-for-jobs --timeout=90s ", "--rollback-on-failure", id="4"),
        pytest.param("v3.8.0", True, "--dry-run ", "--wait", id="dry-old"),
        pytest.param("v3.13.0", True, "--dry-run=server ", "--wait", id="dry-3"),
        pytest.param("v4.0.0", True, "--dry-run=server ", "--wait", id="dry-4"),
    ],
)
def test_flags_of_an_upgrade(home: Path, tmp_path: Path, version: str, dry_run: bool, flags: str, without: str) -> None:
    made = upgrade(answering(home, version, upgrade_stdout=UPGRADED), tmp_path, dry_run=dry_run, description="bundle 7")
    line = asked(home)[-1]
    assert line.startswith(f"upgrade web {tmp_path}/shop-1.2.3.tgz --install --values={tmp_path}/v.json --output=json")
    assert flags in line
    assert without not in line
    assert line.endswith("--description=bundle 7 --kubeconfig=/k/config --kube-context=prod")
    assert (made.revision, made.status, made.chart, made.description) == (3, "deployed", "shop-1.2.3", "bundle 7")
    assert "hunter2" not in repr(made)
    assert "kind: Secret" not in repr(made)


def test_an_environment_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_KUBECONTEXT", "nobody")
    monkeypatch.setenv("HELM_PLUGINS", "/home/me/plugins")
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    answering(home, history_stdout=[]).history("web", namespace="shop")
    env = dict(line.split("=", 1) for line in (home / "env").read_text().splitlines() if "=" in line)
    assert "HELM_KUBECONTEXT" not in env
    assert (env["HELM_DRIVER"], env["PATH"]) == ("configmap", os.environ["PATH"])
    places = {Path(env[f"HELM_{name}"]) for name in ("PLUGINS", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME")}
    assert len(places) == 4
    assert not any(place.parent.exists() for place in places)
    assert (home / "listed").read_text() == ""


def test_no_such_release(home: Path) -> None:
    missing = "Error: uninstall: Release not loaded: web: release: not found"
    helm = answering(home, history_stderr="Error: release: not found", uninstall_stderr=missing)
    assert helm.history("web", namespace="shop") == ()
    assert helm.status("web", namespace="shop") is None
    assert helm.uninstall("web", namespace="shop", timeout=5) is False
    assert helm.recover("web", namespace="shop", timeout=5) == ""


@pytest.mark.parametrize(
    ("statuses", "command"),
    [(["deployed", "pending-upgrade"], "helm rollback web 1"), (["pending-install"], "helm uninstall web")],
)
def test_one_that_can_not_be_freed_is_told_with_the_command(home: Path, statuses: list[str], command: str) -> None:
    words = "Error: admission webhook denied the request"
    helm = answering(home, history_stdout=past(*statuses), rollback_stderr=words, uninstall_stderr=words)
    with pytest.raises(ReleaseError, match=r"left by an interrupted helm, could not be freed: .*denied") as caught:
        helm.recover("web", namespace="shop", timeout=5)
    assert caught.value.hint.endswith(f"or: {command} --namespace shop")


def test_the_hook_jobs_of_a_release(home: Path) -> None:
    hooks = "---\nkind: Job\nmetadata: {name: migrate}\n---\nkind: Secret\nmetadata: {name: key}\n---\n# empty\n"
    assert answering(home, get_stdout=hooks).hook_jobs("web", namespace="shop") == {"migrate"}
    assert asked(home)[-1].startswith("get hooks web --namespace=shop")
    with pytest.raises(ReleaseError, match="hooks that are no YAML"):
        answering(home, get_stdout="{").hook_jobs("web", namespace="shop")
    assert answering(home, get_stderr="Error: release: not found").hook_jobs("web", namespace="shop") is None


@pytest.mark.parametrize(
    ("script", "ending"),
    [("exit 3", "exit code 3"), ("kill -9 $$", "ended by SIGKILL")],
)
def test_a_helm_that_says_nothing(home: Path, tmp_path: Path, script: str, ending: str) -> None:
    helm = answering(home)
    helm.version()
    (home / "helm").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(ReleaseError) as caught:
        upgrade(helm, tmp_path)
    assert caught.value.what == f"release 'web': helm exited without an error message ({ending})"
    assert "diagnose" in caught.value.hint


def test_each_namespace_is_listed_once(home: Path) -> None:
    row = {"name": "web", "namespace": "a", "revision": "2", "status": "failed", "chart": "shop-1.2.3", "updated": "x"}
    found = answering(home, list_stdout=[row]).list(["a", "b", "a"])
    assert [(each.name, each.revision, each.status) for each in found] == [("web", 2, "failed")] * 2
    assert [line.partition("--namespace=")[2].split()[0] for line in asked(home)] == ["a", "b"]


def test_values_that_were_never_given(home: Path) -> None:
    assert answering(home, get_stdout="null\n").get_values("web", namespace="shop") == {}


@pytest.mark.parametrize(
    ("statuses", "told", "command"),
    [
        pytest.param(["deployed"], "", "", id="well"),
        pytest.param(["superseded", "failed"], "", "", id="failed"),
        pytest.param(["pending-install"], "removed it", "uninstall web", id="first"),
        pytest.param(["failed", "pending-upgrade"], "removed it", "uninstall web", id="never-well"),
        pytest.param(
            ["superseded", "deployed", "pending-upgrade"], "revision 2 (shop-2)", "rollback web 2", id="upgrade"
        ),
        pytest.param(
            ["deployed", "failed", "pending-rollback"], "revision 1 (shop-1)", "rollback web 1", id="rollback"
        ),
        pytest.param(["superseded", "superseded", "pending-upgrade"], "revision 2", "rollback web 2", id="superseded"),
        pytest.param(["superseded", "uninstalling"], "removed it", "uninstall web", id="uninstalling"),
    ],
)
def test_recovery(home: Path, statuses: list[str], told: str, command: str) -> None:
    helm = answering(home, history_stdout=list(reversed(past(*statuses))))
    said = helm.recover("web", namespace="shop", timeout=5)
    assert told in said
    assert bool(said) == bool(told)
    done = [line for line in asked(home) if not line.startswith("history")]
    assert [line.startswith(f"{command} ") for line in done] == ([True] if command else [])
    assert not [line for line in done if "rollback" in line and "--wait" in line]


def test_secrets_are_masked_in_what_helm_says(home: Path, tmp_path: Path) -> None:
    helm = answering(home, upgrade_stderr="Error: at '/password': 'hunter2' does not match pattern")
    with pytest.raises(ReleaseError, match=r"release 'web': at '/password': '\*\*\*' does not match"):
        upgrade(helm, tmp_path)


def test_an_answer_that_is_no_json(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no JSON"):
        upgrade(answering(home, upgrade_stdout="Release deployed"), tmp_path)
