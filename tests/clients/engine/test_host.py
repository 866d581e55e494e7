"""Which Engine is meant: by the environment, by contexts, and by default."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from bundle.errors import EngineError
from clients.engine._host import USUAL_SOCKET, EngineHost, find_engine
from tests.fixtures.servers.fake_engine import write_context


@pytest.mark.parametrize(
    ("env", "shown", "origin"),
    [
        pytest.param({"DOCKER_HOST": "unix:///x/y.sock"}, "unix:///x/y.sock", "DOCKER_HOST", id="socket"),
        pytest.param({"DOCKER_HOST": "tcp://h:1234"}, "tcp://h:1234", "DOCKER_HOST", id="tcp"),
        pytest.param({"DOCKER_HOST": "tcp://h"}, "tcp://h:2375", "DOCKER_HOST", id="usual port"),
        pytest.param(
            {"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1"}, "tcp://h:2376", "DOCKER_HOST", id="usual TLS port"
        ),
        pytest.param({"DOCKER_CONTEXT": "far"}, "tcp://far:2375", "docker context 'far'", id="context"),
        pytest.param(
            {"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "far"}, "tcp://h:1", "DOCKER_HOST", id="host first"
        ),
        pytest.param({"DOCKER_CONTEXT": "default"}, f"unix://{USUAL_SOCKET}", "the usual socket", id="default"),
        pytest.param({}, "tcp://now:2375", "docker context 'now'", id="current context"),
    ],
)
def test_the_engine_that_docker_would_use(tmp_path: Path, env: Mapping[str, str], shown: str, origin: str) -> None:
    (tmp_path / "config.json").write_text('{"currentContext": "now"}')
    for name in ("now", "far"):
        write_context(tmp_path, name, {"Host": f"tcp://{name}", "SkipTLSVerify": False})
    found = find_engine({"DOCKER_CONFIG": str(tmp_path), **env})
    assert (str(found), found.origin) == (shown, origin)


def test_without_anything_it_is_the_usual_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tmp_path / "docker.sock"
    monkeypatch.setattr("clients.engine._host.USUAL_SOCKET", str(usual))
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert find_engine(env) == EngineHost(socket=usual, origin="the usual socket")
    rootless = tmp_path / "run/docker.sock"
    rootless.parent.mkdir()
    rootless.touch()
    assert find_engine(env).socket == rootless
    usual.touch()
    assert find_engine(env).socket == usual


@pytest.mark.parametrize(
    ("env", "what", "hint"),
    [
        pytest.param({"DOCKER_HOST": "h:1"}, "'h:1' is not the address", "tcp://HOST:PORT", id="no scheme"),
        pytest.param({"DOCKER_HOST": "unix://x"}, "can be used", "unix:///PATH", id="relative socket"),
        pytest.param({"DOCKER_HOST": "npipe:////./pipe/x"}, "can be used", "tcp", id="pipe"),
        pytest.param({"DOCKER_HOST": "tcp://h:99999"}, "no valid port", "PORT", id="port"),
        pytest.param({"DOCKER_HOST": "tcp://me@h:1"}, "not HOST:PORT", "PORT", id="login"),
        pytest.param({"DOCKER_HOST": "tcp://a..b:1"}, "not HOST:PORT", "PORT", id="empty label"),
        pytest.param({"DOCKER_HOST": "tcp://a b:1"}, "not HOST:PORT", "PORT", id="space"),
        pytest.param({"DOCKER_HOST": "ssh://me@h"}, "behind ssh", "ssh -nNT -L /tmp/engine.sock:", id="ssh"),
        pytest.param({"DOCKER_CONTEXT": "gone"}, "context 'gone' does not exist", "docker context ls", id="context"),
        pytest.param({"DOCKER_CONTEXT": "bad"}, "context 'bad' can't be read", "make it anew", id="bad context"),
    ],
)
def test_what_can_not_be_used(tmp_path: Path, env: Mapping[str, str], what: str, hint: str) -> None:
    write_context(tmp_path, "bad", {})
    with pytest.raises(EngineError, match=what) as caught:
        find_engine({"DOCKER_CONFIG": str(tmp_path), **env})
    assert hint in caught.value.hint


def test_a_config_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EngineError, match="it is not JSON"):
        find_engine({"DOCKER_CONFIG": str(tmp_path)})


def test_certificates(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("client")
    place = write_context(tmp_path, "tls", {"Host": "tcp://h", "SkipTLSVerify": False})
    env = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "tls"}
    assert find_engine(env).tls is None
    place.mkdir(parents=True)
    authority.cert_pem.write_to_path(place / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(place / "cert.pem")
    issued.private_key_pem.write_to_path(place / "key.pem")
    by_context = find_engine(env).tls
    by_path = find_engine({"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(place)}).tls
    assert by_context
    assert by_context == by_path
    assert by_context.context("x").check_hostname
    (place / "key.pem").write_text("nonsense")
    with pytest.raises(EngineError, match=r"x: its certificates can't be used \(.*key\.pem\)"):
        by_context.context("x")


def test_a_context_that_skips_verification(tmp_path: Path) -> None:
    write_context(tmp_path, "tls", {"Host": "tcp://h", "SkipTLSVerify": True})
    tls = find_engine({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "tls"}).tls
    assert tls
    assert not tls.context("x").check_hostname
