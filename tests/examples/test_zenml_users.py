"""Accounts made of a CSV file, as the program does it, against a stand-in that follows the documented API."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.places import ROOT
from tests.fixtures.servers.control_plane import API, ControlPlane, Fault, serving

PROGRAM = ROOT / "examples" / "zenml-pro" / "users.py"
SUPERUSER = "pass word/of&superuser"
FIRST = "first-password-of"
COLUMNS = "the first line does not name the columns: username,password,superuser next: name them, separated by commas"


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with serving(ControlPlane(users={"operator": SUPERUSER})) as running:
        yield running


def run(plane: ControlPlane, place: Path, text: str | bytes, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the program with a file of this text; no password is ever shown."""
    path = place / "users.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    argv = [sys.executable, str(PROGRAM), f"--control-plane={plane.url}", "--superuser=operator", str(path)]
    given = {**os.environ, "SUPERUSER_PASSWORD": SUPERUSER, **env}
    done = subprocess.run(argv, env=given, capture_output=True, text=True, check=False, timeout=60)
    told = done.stderr + done.stdout
    assert "Traceback" not in told, told
    assert SUPERUSER not in told
    assert FIRST not in told
    return done


def test_accounts_are_made_and_a_second_run_makes_none(plane: ControlPlane, tmp_path: Path) -> None:
    text = f'username,password,superuser\nada,{FIRST}-ada,\n bob ,"{FIRST} b,ob&",false\ncleo,{FIRST}-cleo,TRUE\n'
    done = run(plane, tmp_path, text)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines() == [
        "account 'ada' is made",
        "account 'bob' is made",
        "account 'cleo' is made, a superuser",
    ]
    made = {"ada": f"{FIRST}-ada", "bob": f"{FIRST} b,ob&", "cleo": f"{FIRST}-cleo"}
    assert plane.users == {"operator": SUPERUSER, **made}
    assert plane.superusers == {"cleo"}
    plane.users["ada"] = "her own by now"
    again = run(plane, tmp_path, text)
    assert again.returncode == 0, again.stderr
    assert "account 'ada' exists, and stays as it is" in again.stderr
    assert plane.users["ada"] == "her own by now"


def test_a_spreadsheets_file_is_read(plane: ControlPlane, tmp_path: Path) -> None:
    """With a byte order mark and the line ends of Windows; without the column that can be left out."""
    assert run(plane, tmp_path, f"\ufeffusername,password\r\nada,{FIRST}\r\n\r\n").returncode == 0
    assert plane.users["ada"] == FIRST


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", COLUMNS, id="empty"),
        pytest.param(f"ada,{FIRST}\n", COLUMNS, id="no columns"),
        pytest.param("username;password\n", COLUMNS, id="semicolons"),
        pytest.param("username,password,mail\n", COLUMNS, id="column that nobody knows"),
        pytest.param("username,password,password\n", COLUMNS, id="column twice"),
        pytest.param(f"username,password\n,{FIRST}\n", "line 2 has no username", id="no name"),
        pytest.param("username,password\nada,\n", "line 2 has no password", id="no password"),
        pytest.param("username,password\nada\n", "line 2 has another number of columns", id="too short"),
        pytest.param(f"username,password\nada,{FIRST},x,y\n", "line 2 has another number of columns", id="too long"),
        pytest.param(f"username,password\na,{FIRST}\nb,{FIRST}\na,{FIRST}\n", "lines 2 and 4 have", id="twice"),
        pytest.param(f"username,password\nadmin,{FIRST}\n", "names the reserved account 'admin'", id="reserved"),
        pytest.param(f"username,password,superuser\na,{FIRST},yes\n", "superuser is neither", id="superuser"),
        pytest.param(b"username,password\n\xe9,x\n", "can't be read", id="not UTF-8"),
    ],
)
def test_a_file_is_judged_before_anything_is_made(
    plane: ControlPlane, tmp_path: Path, text: str | bytes, told: str
) -> None:
    if "found ada" in told:
        text, told = "ada,secret\n", "expected the columns username and password"
    done = run(plane, tmp_path, text)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert told in line
    assert " next: " in line
    assert plane.asked == []


def test_all_lines_that_can_not_be_used_are_named_at_once(plane: ControlPlane, tmp_path: Path) -> None:
    line = run(plane, tmp_path, f"username,password\n,{FIRST}\nada,\nbob,{FIRST}\n").stderr
    assert "line 2 has no username; line 3 has no password next: correct these lines" in line


def test_a_run_that_was_stopped_goes_on(plane: ControlPlane, tmp_path: Path) -> None:
    text = f"username,password\nada,{FIRST}\nbob,{FIRST}\n"
    plane.faults.append(Fault(method="POST", path=f"{API}/users", status=403))
    *_, named, last = run(plane, tmp_path, text).stderr.splitlines()
    assert named == "account 'ada' is not made"
    assert last.startswith("POST /users: status 403 next: the account may not do this")
    assert run(plane, tmp_path, text).returncode == 0
    assert plane.users.keys() == {"operator", "ada", "bob"}


@pytest.mark.parametrize(
    ("password", "told"),
    [("", "SUPERUSER_PASSWORD is not set next: "), ("another", "check the account and its password")],
    ids=["none", "wrong"],
)
def test_the_superusers_password(plane: ControlPlane, tmp_path: Path, password: str, told: str) -> None:
    done = run(plane, tmp_path, f"username,password\nada,{FIRST}\n", SUPERUSER_PASSWORD=password)
    assert done.returncode == 1
    assert told in done.stderr
    assert plane.users.keys() == {"operator"}


def test_a_file_that_is_not_there(plane: ControlPlane, tmp_path: Path) -> None:
    argv = [sys.executable, str(PROGRAM), f"--control-plane={plane.url}", "--superuser=x", str(tmp_path / "no.csv")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "no.csv can't be read: " in done.stderr
