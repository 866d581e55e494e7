"""The chart `runners` of the flagship: nothing before it is wanted, and no more rights than asked for."""

import subprocess
from typing import Any

import pytest
import yaml

from tests.fixtures.parts.clusters import asset
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "zenml-pro" / "charts" / "runners"
RIGHTS = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "deletecollection"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
MORE = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def helm(which: str, verb: list[str], values: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    argv = [asset(which), *verb, str(CHART), "--values=-"]
    return subprocess.run(argv, input=yaml.safe_dump(values), capture_output=True, text=True, check=False, timeout=60)


def rendered(which: str, **values: Any) -> dict[str, Any]:
    done = helm(which, ["template", "runners", "--namespace=zenml-runners"], values)
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_nothing_is_made_before_it_is_wanted(which: str) -> None:
    assert rendered(which) == {}
    assert helm(which, ["lint", "--strict"], {"enabled": True}).returncode == 0


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_what_is_made(which: str) -> None:
    made = rendered(which, enabled=True)
    assert set(made) == {"ServiceAccount", "Role", "RoleBinding"}
    assert made["ServiceAccount"]["metadata"]["name"] == "zenml-runner"
    assert made["ServiceAccount"]["imagePullSecrets"] == [{"name": "image-pull-secret"}]
    assert "annotations" not in made["ServiceAccount"]["metadata"]
    assert made["Role"]["rules"] == RIGHTS
    assert made["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "zenml", "namespace": "zenml-workspace"}
    ]


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_what_building_needs_is_added(which: str) -> None:
    made = rendered(which, enabled=True, pushSecret="pusher", annotations={"role": "arn"}, rules=[MORE])
    assert made["ServiceAccount"]["imagePullSecrets"] == [{"name": "image-pull-secret"}, {"name": "pusher"}]
    assert made["ServiceAccount"]["metadata"]["annotations"] == {"role": "arn"}
    assert made["Role"]["rules"] == [*RIGHTS, MORE]


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_a_registry_without_login(which: str) -> None:
    assert "imagePullSecrets" not in rendered(which, enabled=True, pullSecret="")["ServiceAccount"]


@pytest.mark.parametrize(
    "wrong", [{"rules": [{"verbs": ["get"]}]}, {"annotations": {"a": 1}}, {"pushsecret": "x"}, {"serviceAccount": ""}]
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    assert helm("helm3", ["template", "runners"], {"enabled": True, **wrong}).returncode != 0
