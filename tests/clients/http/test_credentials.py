"""Logins from docker's configuration and its helpers."""

import base64
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import SourceError
from clients.http.credentials import ANONYMOUS, Credential, Credentials

HELPER = """#!/bin/sh
read -r host
echo "$host" >> "$(dirname "$0")/asked"
{body}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".docker").mkdir()
    return tmp_path


def configure(home: Path, config: dict[str, Any]) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def install_helper(home: Path, name: str, body: str) -> None:
    path = home / "bin" / f"docker-credential-{name}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HELPER.format(body=body))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def asked(home: Path) -> list[str]:
    return (home / "bin" / "asked").read_text().split()


def credentials(home: Path, **more: str) -> Credentials:
    return Credentials({"HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}", **more})


def find(home: Path, host: str, path: str = "team/app", **more: str) -> tuple[str, str, str]:
    found = credentials(home, **more).find(host, path, subject="image 'app'")
    return found.username, found.password, found.identity_token


def auth(login: str) -> dict[str, str]:
    return {"auth": base64.b64encode(login.encode()).decode()}


@pytest.mark.parametrize(
    ("auths", "host", "login"),
    [
        pytest.param({"a.test": auth("me:pw")}, "a.test", ("me", "pw", ""), id="auth"),
        pytest.param({"a.test": auth("me:p:w")}, "a.test", ("me", "p:w", ""), id="colon-in-password"),
        pytest.param({"a.test": {"username": "me", "password": "pw"}}, "a.test", ("me", "pw", ""), id="fields"),
        pytest.param({"a.test": {"identitytoken": "it"}}, "a.test", ("", "", "it"), id="identity-token"),
        pytest.param({"a.test:5000": auth("me:pw")}, "a.test:5000", ("me", "pw", ""), id="port"),
        pytest.param({"a.test": auth("me:pw")}, "a.test:5000", ("", "", ""), id="other-port"),
        pytest.param({"https://a.test": auth("me:pw")}, "a.test", ("me", "pw", ""), id="scheme"),
        pytest.param({"https://a.test/v2/": auth("me:pw")}, "a.test", ("me", "pw", ""), id="scheme-and-path"),
        pytest.param({"https://index.docker.io/v1/": auth("me:pw")}, "docker.io", ("me", "pw", ""), id="docker-hub"),
        pytest.param({"docker.io": auth("me:pw")}, "docker.io", ("me", "pw", ""), id="docker-hub-short"),
        pytest.param({"a.test": {}}, "a.test", ("", "", ""), id="empty-entry"),
        pytest.param({"b.test": auth("me:pw")}, "a.test", ("", "", ""), id="another-host"),
        pytest.param({"a.test": auth("me:pw"), "a.test/team": auth("t:t")}, "a.test", ("t", "t", ""), id="path"),
        pytest.param({"a.test": auth("me:pw"), "a.test/te": auth("t:t")}, "a.test", ("me", "pw", ""), id="no-path"),
        pytest.param({"https://a.test": auth("o:o"), "a.test": auth("me:pw")}, "a.test", ("me", "pw", ""), id="exact"),
    ],
)
def test_logins_in_the_file(home: Path, auths: dict[str, Any], host: str, login: tuple[str, str, str]) -> None:
    configure(home, {"auths": auths})
    assert find(home, host) == login


def test_nothing_configured(tmp_path: Path) -> None:
    assert Credentials({}).find("a.test", subject="s") == ANONYMOUS
    assert credentials(tmp_path).find("a.test", subject="s") == ANONYMOUS


def test_where_files_are_looked_for(home: Path, tmp_path: Path) -> None:
    for name in ("named.json", "docker/config.json", "run/containers/auth.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {"a.test": auth(f"{path.parent.name}:pw")}}))
    configure(home, {"auths": {"a.test": auth("home:pw")}})
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    docker = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    assert (
        find(home, "a.test", **runtime, **docker, REGISTRY_AUTH_FILE=str(tmp_path / "named.json"))[0] == tmp_path.name
    )
    assert find(home, "a.test", **runtime, **docker)[0] == "docker"
    assert find(home, "a.test", **runtime)[0] == "home"
    configure(home, {})
    assert find(home, "a.test", **runtime)[0] == "containers"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"credHelpers": {"a.test": "fake"}}, id="credHelpers"),
        pytest.param({"credsStore": "fake"}, id="credsStore"),
        pytest.param({"credsStore": "wrong", "credHelpers": {"a.test": "fake"}}, id="credHelpers-first"),
        pytest.param({"credsStore": "fake", "auths": {"a.test": auth("old:old")}}, id="helper-before-file"),
    ],
)
def test_helpers(home: Path, config: dict[str, Any]) -> None:
    configure(home, config)
    install_helper(home, "fake", """echo '{"ServerURL": "x", "Username": "AWS", "Secret": "pw"}'""")
    assert find(home, "a.test") == ("AWS", "pw", "")
    assert asked(home) == ["a.test"]


def test_a_helper_with_an_identity_token(home: Path) -> None:
    configure(home, {"credsStore": "fake"})
    install_helper(home, "fake", """echo '{"Username": "<token>", "Secret": "it"}'""")
    assert find(home, "docker.io") == ("", "", "it")
    assert asked(home) == ["https://index.docker.io/v1/"]


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(home: Path) -> None:
    configure(home, {"credsStore": "fake", "auths": {"a.test": auth("me:pw")}})
    install_helper(home, "fake", "echo 'credentials not found in native keychain'; exit 1")
    assert find(home, "a.test") == ("me", "pw", "")
    assert find(home, "b.test") == ("", "", "")


def test_helpers_are_asked_once(home: Path) -> None:
    configure(home, {"credsStore": "fake"})
    install_helper(home, "fake", """sleep 0.1; echo '{"Username": "me", "Secret": "pw"}'""")
    shared = credentials(home)
    found: list[Credential] = []
    threads = [
        threading.Thread(target=lambda: found.append(shared.find("a.test", subject="image 'app'"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [credential.password for credential in found] == ["pw"] * 4
    assert asked(home) == ["a.test"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("echo 'no session'; exit 1", "fake failed for a.test: no session", id="fails"),
        pytest.param("echo 'no session' >&2; exit 3", "fake failed for a.test: no session", id="fails-on-stderr"),
        pytest.param("exit 3", "fake failed for a.test: exit code 3", id="silent"),
        pytest.param("echo hunter2", "unreadable answer for a.test", id="unreadable"),
        pytest.param("""echo '{"Username": "hunter2"}'""", "unreadable answer for a.test", id="incomplete"),
    ],
)
def test_helpers_that_fail(home: Path, body: str, message: str) -> None:
    configure(home, {"credsStore": "fake"})
    install_helper(home, "fake", body)
    with pytest.raises(SourceError, match=message) as caught:
        find(home, "a.test")
    assert caught.value.what.startswith("image 'app': ")
    assert "echo a.test | docker-credential-fake get" in caught.value.hint
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_helper(home: Path) -> None:
    configure(home, {"credsStore": "absent"})
    with pytest.raises(SourceError, match=r"docker-credential-absent for a\.test, which is not installed") as caught:
        find(home, "a.test")
    assert "docker login a.test" in caught.value.hint


def test_a_helper_that_can_not_be_run(home: Path) -> None:
    configure(home, {"credsStore": "fake"})
    (home / "bin").mkdir()
    (home / "bin" / "docker-credential-fake").write_bytes(b"\x7fELF broken")
    (home / "bin" / "docker-credential-fake").chmod(0o755)
    with pytest.raises(SourceError, match=r"docker-credential-fake failed for a\.test: Exec format error"):
        find(home, "a.test")


def test_a_helper_that_never_answers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.http.credentials._HELPER_TIMEOUT", 0.2)
    configure(home, {"credsStore": "fake"})
    install_helper(home, "fake", "exec sleep 30")
    with pytest.raises(SourceError, match=r"docker-credential-fake failed for a\.test: no answer in 0 s"):
        find(home, "a.test")


@pytest.mark.parametrize("end", ["\n", "\r\n", " "], ids=["lines", "windows", "spaces"])
def test_base64_that_is_wrapped(home: Path, end: str) -> None:
    """As `base64` writes it; docker, podman and skopeo take it."""
    login = f"robot:{'x' * 120}"
    wrapped = base64.encodebytes(login.encode()).decode().replace("\n", end)
    configure(home, {"auths": {"a.test": {"auth": wrapped}}})
    assert find(home, "a.test") == ("robot", "x" * 120, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{broken", "it is not JSON", id="not-json"),
        pytest.param('{"auths": {"a.test": {"auth": "hunter2!"}}}', "not base64", id="not-base64"),
    ],
)
def test_broken_files(home: Path, text: str, message: str) -> None:
    (home / ".docker" / "config.json").write_text(text)
    with pytest.raises(SourceError, match=rf"image 'app': .*config\.json.*{message}") as caught:
        find(home, "a.test")
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    credential = Credential(username="me", password="hunter2", identity_token="hunter2", registry_token="hunter2")
    assert "hunter2" not in f"{credential!r} {credential}"
    assert "me" in repr(credential)


@pytest.mark.parametrize(
    ("key", "scheme", "found"),
    [
        ("r.example.com:5000", "http", True),
        ("r.example.com:5000", "https", True),
        ("https://r.example.com:5000", "https", True),
        ("HTTPS://r.example.com:5000/v2/", "https", True),
        ("http://r.example.com:5000", "http", True),
        ("https://r.example.com:5000", "http", False),
        ("http://r.example.com:5000", "https", False),
        ("r.example.com", "https", False),
        ("r.example.com:5001", "https", False),
        ("ftp://r.example.com:5000", "https", False),
    ],
)
def test_a_login_is_for_one_scheme_host_and_port(home: Path, key: str, scheme: str, found: bool) -> None:
    configure(home, {"auths": {key: {"auth": base64.b64encode(b"me:secret").decode()}}})
    login = Credentials({"HOME": str(home)}).find("r.example.com:5000", subject="s", scheme=scheme)
    assert (login.username == "me") == found
