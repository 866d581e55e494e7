"""The chart `backups` of the flagship: off by default, and pods that a namespace with the strictest rules admits."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.fixtures.parts.clusters import asset
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "zenml-pro" / "charts" / "backups"
VALUES: dict[str, Any] = {
    "enabled": True,
    "application": "zenml-pro",
    "recipient": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    "dumps": {
        "workspace": {
            "image": "r.example/mariadb:11",
            "command": ["mariadb-dump", "--host=db", "100%: $HOME 'x'"],
            "secrets": {"MYSQL_PWD": {"name": "database", "key": "password"}},
        },
    },
}


def helm(which: str, verb: list[str], values: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    argv = [asset(which), *verb, str(CHART), "--values=-"]
    return subprocess.run(argv, input=yaml.safe_dump(values), capture_output=True, text=True, check=False, timeout=60)


def rendered(which: str, values: dict[str, Any]) -> dict[str, Any]:
    done = helm(which, ["template", "nightly", "--namespace=zenml-pro"], values)
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_nothing_is_made_before_it_is_wanted(which: str) -> None:
    assert rendered(which, {}) == {}
    assert helm(which, ["lint", "--strict"], VALUES).returncode == 0


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_what_is_made(which: str) -> None:
    made = rendered(which, VALUES)
    assert set(made) == {"ConfigMap", "PersistentVolumeClaim", "CronJob"}
    assert made["ConfigMap"]["data"] == {
        "backup.sh": (CHART / "backup.sh").read_text(),
        "backup.crt": VALUES["recipient"],
    }
    assert made["PersistentVolumeClaim"]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    job = made["CronJob"]["spec"]
    assert (made["CronJob"]["metadata"]["name"], job["schedule"]) == ("nightly-workspace", "30 2 * * *")
    assert job["concurrencyPolicy"] == "Forbid"
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == VALUES["dumps"]["workspace"]["command"]
    env = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert env["MYSQL_PWD"] == {"secretKeyRef": {"name": "database", "key": "password"}}
    assert (env["TARGET"], env["KEEP"], env["KEEP_DAYS"]) == ("cronjob/zenml-pro/nightly/workspace", "14", "30")
    named = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", (CHART / "backup.sh").read_text()))
    assert named <= set(env), "what the script uses is set"
    assert pod["volumes"][1]["persistentVolumeClaim"]["claimName"] == "nightly"


@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_its_pods_are_restricted(which: str) -> None:
    """Pod Security Standards, level restricted (Kubernetes documentation)."""
    pod = rendered(which, VALUES)["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert all(set(each) & {"configMap", "persistentVolumeClaim", "emptyDir"} for each in pod["volumes"])


def test_it_is_rendered_before_the_certificate_is_known() -> None:
    assert rendered("helm3", {**VALUES, "recipient": "backup-crt.file.invalid"})["CronJob"]


def test_a_claim_that_is_there_is_used() -> None:
    made = rendered("helm3", {**VALUES, "storage": {"existingClaim": "nfs"}})
    pod = made["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "PersistentVolumeClaim" not in made
    assert pod["volumes"][1]["persistentVolumeClaim"]["claimName"] == "nfs"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"recipient": ""}, "recipient"),
        ({"recipient": "-----BEGIN PRIVATE KEY-----"}, "recipient"),
        ({"recipient": "backup.crt"}, "recipient"),
        ({"application": ""}, "application"),
        ({"application": 'a", "b'}, "application"),
        ({"dumps": {}}, "dumps"),
        ({"dumps": {"Work space": VALUES["dumps"]["workspace"]}}, "Work space"),
        ({"dumps": {"workspace": {"image": "x"}}}, "command"),
        ({"keep": -1}, "keep"),
        ({"runAs": 0}, "runAs"),
        ({"surprise": 1}, "surprise"),
    ],
)
@pytest.mark.parametrize("which", ["helm3", "helm4"])
def test_values_that_can_not_work_are_refused(which: str, wrong: dict[str, Any], told: str) -> None:
    done = helm(which, ["template", "nightly"], {**VALUES, **wrong})
    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr
    assert told in done.stderr
