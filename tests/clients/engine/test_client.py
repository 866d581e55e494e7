"""What the Docker SDK finds by itself does not reach an Engine: proxies, logins, docker's config of another user."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from clients.engine._client import Body, UnmadeError
from clients.engine.engine import Engine
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.servers.fake_engine import FakeEngine, body, fake_engine, stream

APP = Reference.parse("registry.example.com/team/app:1")
IMAGE = {"Id": "sha256:" + "1" * 64, "Os": "linux", "Architecture": "amd64"}


@pytest.fixture(params=["socket", "port"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    with fake_engine(tcp=request.param == "port") as engine:
        engine.plan("GET /images/app/json", body(200, IMAGE))
        yield engine


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_for_others(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with fake_engine(tcp=True) as proxy:
        monkeypatch.setenv(name, proxy.host.replace("tcp:", "http:"))
        assert Engine({**fake.env, name: proxy.host}).inspect("app", subject="x")
        assert proxy.connections == 0
    assert fake.seen[0][0] == "GET /v1.41/images/app/json"


def test_logins_of_netrc_are_for_others(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine localhost login me password hunter2\nmachine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    assert Engine(fake.env).inspect("app", subject="x")
    assert "Authorization" not in fake.seen[0][1]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"HttpHeaders": {"X-Secret": "hunter2"}}, id="headers"),
        pytest.param({"auths": {"registry.example.com": {"auth": "no base64"}}}, id="login that can't be read"),
        pytest.param({"auths": {"registry.example.com": "a word"}}, id="no login"),
        pytest.param({"proxies": {"default": "a word"}}, id="proxies"),
    ],
)
def test_the_config_of_this_process_is_not_the_one_that_is_asked(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: object
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert Engine(fake.env).inspect("app", subject="x")
    assert "X-Secret" not in fake.seen[0][1]


def test_the_sdk_seeks_no_login(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, meter: RecordingMeter
) -> None:
    """The environment that is asked has none, the one of this process has."""
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": "bWU6aHVudGVyMg=="}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    fake.plan("POST /images/create", stream({"status": "done"}))
    fake.plan(f"GET /images/{APP}/json", body(200, IMAGE))
    Engine(fake.env).pull(APP, Platform(os="linux", architecture="amd64"), subject="x", meter=meter)
    assert fake.seen[0][1]["X-Registry-Auth"] == "e30="  # {}


def test_the_engine_is_told_the_address_it_was_reached_by(fake: FakeEngine) -> None:
    Engine(fake.env).inspect("app", subject="x")
    sent = fake.seen[0][1]
    assert sent["Host"] == ("docker" if "unix:" in fake.host else fake.host.removeprefix("tcp://"))
    assert (sent["Connection"], sent["Accept-Encoding"]) == ("close", "identity")


@pytest.mark.parametrize(
    "fault", [BrokenPipeError(32, "Broken pipe"), OSError(5, "Input/output error"), ValueError("x")]
)
def test_what_goes_wrong_in_making_a_body_is_none_of_the_connection(fake: FakeEngine, fault: Exception) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"abc"
        raise fault

    fake.plan("POST /images/load", stream({"stream": "Loaded"}))
    with pytest.raises(type(fault)) as caught:
        Engine(fake.env).load(6, pieces(), subject="x")
    assert caught.value is fault


def test_a_body_says_whether_it_was_taken() -> None:
    whole = Body(6, iter([b"abc", b"def"]))
    assert (len(whole), whole.taken, b"".join(whole), whole.taken) == (6, False, b"abcdef", True)
    half = Body(6, iter([b"abc", b"def"]))
    next(iter(half))
    assert not half.taken
    broken = Body(6, (1 // 0 for _ in "x"))  # type: ignore[misc]
    with pytest.raises(UnmadeError):
        list(broken)
    assert not broken.taken
