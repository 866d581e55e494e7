"""Enrolment of a workspace, as its program does it, against a stand-in that follows the documented API."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.fixtures.places import ROOT
from tests.fixtures.servers.control_plane import API, ControlPlane, Fault, serving

PROGRAM = ROOT / "examples" / "zenml-pro" / "enroll.py"
ADMIN, SUPERUSER = "password-of-admin", "pass word/of&superuser"


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with serving(ControlPlane(users={"admin": ADMIN})) as running:
        yield running


def run(plane: ControlPlane, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program as an install does."""
    argv = [sys.executable, str(PROGRAM), f"--control-plane={plane.url}", "--superuser=operator"]
    argv += ["--organization=acme", "--workspace=main", "--patience=0", "--timeout=5", *args]
    given = {"ADMIN_PASSWORD": ADMIN, "SUPERUSER_PASSWORD": SUPERUSER, **env}
    done = subprocess.run(argv, env={**os.environ, **given}, capture_output=True, text=True, check=False, timeout=60)
    told = done.stderr + done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    assert ADMIN not in told
    assert SUPERUSER not in told
    return done


def enrolled(plane: ControlPlane, *args: str, **env: str) -> dict[str, str]:
    done = run(plane, *args, **env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def refused(plane: ControlPlane, *args: str, **env: str) -> str:
    done = run(plane, *args, **env)
    assert (done.returncode, done.stdout) == (1, "")
    *_, last = done.stderr.splitlines()
    assert " next: " in last
    return last


def test_everything_is_made_once(plane: ControlPlane) -> None:
    found = enrolled(plane)
    (workspace,) = plane.workspaces.values()
    assert found == {
        "organization_id": workspace["organization"]["id"],
        "organization_name": "acme",
        "workspace_id": workspace["id"],
        "workspace_name": "main",
        "enrollment_key": workspace["enrollment_key"],
    }
    assert workspace["by"] == "operator", "the admin only makes the superuser"
    assert plane.users["operator"] == SUPERUSER
    made = list(plane.asked)
    assert enrolled(plane, AIRGAP_LAST_OUTPUTS=json.dumps(found)) == found
    again = plane.asked[len(made) :]
    assert [each for each in again if each.startswith(("POST", "DELETE"))] == [f"POST {API}/auth/login"]
    assert len(plane.workspaces) == len(plane.organizations) == 1


def test_what_is_there_is_found_on_a_later_page(plane: ControlPlane) -> None:
    plane.organizations |= {f"id-{number}": f"org-{number}" for number in range(150)} | {"ours": "acme"}
    assert enrolled(plane)["organization_id"] == "ours"
    assert len(plane.organizations) == 151


def test_a_workspace_whose_key_is_lost_is_never_deleted_by_itself(plane: ControlPlane) -> None:
    first = enrolled(plane)
    told = refused(plane)
    assert "workspace 'main' exists, and its enrollment key is not known here" in told
    assert "ZENML_REENROLL=main" in told
    assert "exists" in refused(plane, ZENML_REENROLL="another")
    stale = {**first, "workspace_id": "of another control plane"}
    assert "exists" in refused(plane, AIRGAP_LAST_OUTPUTS=json.dumps(stale))
    assert not any(each.startswith("DELETE") for each in plane.asked)
    second = enrolled(plane, ZENML_REENROLL="main")
    assert plane.asked.count(f"DELETE {API}/workspaces/{first['workspace_id']}") == 1
    assert second["workspace_id"] != first["workspace_id"]
    assert second["enrollment_key"] != first["enrollment_key"]


def test_a_workspace_of_the_dashboard_is_used_with_the_key_that_is_handed_in(plane: ControlPlane) -> None:
    made = enrolled(plane)
    before = dict(plane.workspaces)
    assert "export ZENML_ENROLLMENT_KEY_MAIN=KEY" in refused(plane)
    found = enrolled(plane, ZENML_ENROLLMENT_KEY_MAIN="of the dashboard", ZENML_ENROLLMENT_KEY_OTHER="another's")
    assert found == {**made, "enrollment_key": "of the dashboard"}
    assert plane.workspaces == before, "nothing is made or deleted"
    assert enrolled(plane, AIRGAP_LAST_OUTPUTS=json.dumps(found)) == found, "it is kept"


def test_a_key_without_its_workspace_enrols_nothing(plane: ControlPlane) -> None:
    """A typo in a name: a new workspace would be made, and the key ignored."""
    told = refused(plane, "--workspace=team-b", ZENML_ENROLLMENT_KEY_TEAM_B="of the dashboard")
    assert "ZENML_ENROLLMENT_KEY_TEAM_B is set, and organization 'acme' has no workspace 'team-b'" in told
    assert "of the dashboard" not in told
    assert plane.workspaces == {}


def test_an_answer_that_never_came_may_have_enrolled_it(plane: ControlPlane) -> None:
    plane.faults.append(Fault(method="POST", path=f"{API}/workspaces", status=0, done=True))
    assert "POST /workspaces: no answer" in refused(plane)
    assert "exists, and its enrollment key is not known here" in refused(plane)
    assert enrolled(plane, ZENML_REENROLL="main")["enrollment_key"]


def test_a_workspace_that_was_removed_is_enrolled_anew(plane: ControlPlane) -> None:
    first = enrolled(plane)
    plane.workspaces[first["workspace_id"]]["status"] = "deleted"
    second = enrolled(plane, AIRGAP_LAST_OUTPUTS=json.dumps(first))
    assert second["workspace_id"] != first["workspace_id"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(method="POST", path=f"{API}/workspaces", status=500), "POST /workspaces: status 500: as ordered"),
        (Fault(method="POST", path=f"{API}/workspaces", status=402, detail="trial over"), "status 402: trial over"),
        (Fault(method="POST", path=f"{API}/organizations", status=403), "it must be a superuser"),
        (Fault(method="GET", path=f"{API}/organizations", status=401), "check the account and its password"),
        (Fault(method="GET", path=f"{API}/organizations", status=200), "answers with no list of objects"),
        (
            Fault(method="GET", path=f"{API}/workspaces", status=200, kind="text/html"),
            "answers with text/html, not JSON",
        ),
        (Fault(method="GET", path=f"{API}/workspaces", status=302), "GET /workspaces: status 302"),
        (Fault(method="POST", path=f"{API}/auth/login", status=200), "answers without an access_token"),
        (Fault(method="POST", path=f"{API}/workspaces", status=200), "answers without an id or enrollment_key"),
        (Fault(method="POST", path=f"{API}/workspaces", status=0), "POST /workspaces: no answer"),
        (Fault(method="POST", path=f"{API}/users", status=422, detail=f"bad {ADMIN}"), "POST /users: status 422 next"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_are_told_and_a_later_run_goes_on(plane: ControlPlane, fault: Fault, told: str) -> None:
    plane.faults.append(fault)
    assert told in refused(plane)
    assert enrolled(plane)["workspace_name"] == "main"
    assert len(plane.workspaces) == 1


def test_what_passes_is_waited_for(plane: ControlPlane) -> None:
    plane.faults += [
        Fault(method="GET", path="/health", status=503),
        Fault(method="GET", path=f"{API}/health", status=200, kind="text/html"),
        Fault(method="GET", path=f"{API}/organizations", status=503),
        Fault(method="POST", path=f"{API}/auth/login", status=0),
    ]
    assert enrolled(plane, "--patience=30")["workspace_name"] == "main"
    assert plane.asked.count("GET /health") == 2


def test_a_slow_answer_is_not_waited_for_without_end(plane: ControlPlane) -> None:
    plane.faults.append(Fault(method="POST", path=f"{API}/workspaces", status=500, seconds=3))
    assert "POST /workspaces: no answer (timed out)" in refused(plane, "--timeout=0.5")


def test_the_dashboards_page_is_no_health(plane: ControlPlane) -> None:
    plane.faults += [
        Fault(method="GET", path="/health", status=200, kind="text/html"),
        Fault(method="GET", path=f"{API}/health", status=200, kind="text/html"),
    ]
    assert "is not well (/api/v1/health: status 200, text/html)" in refused(plane, "--patience=0")


def test_nobody_is_there() -> None:
    assert "is not well" in refused(ControlPlane(url="http://127.0.0.1:1"))


def test_the_license_allows_no_more(plane: ControlPlane) -> None:
    plane.most_workspaces = 0
    assert "status 409: the limit of 0 workspaces is reached" in refused(plane)


def test_a_user_with_another_password(plane: ControlPlane) -> None:
    plane.users["operator"] = "changed by hand"
    assert "there is a user 'operator', with another password" in refused(plane)


def test_an_admin_with_another_password(plane: ControlPlane) -> None:
    plane.users["admin"] = "changed by hand"
    assert "knows neither operator nor admin by their passwords" in refused(plane)
