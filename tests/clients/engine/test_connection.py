"""The way to an Engine: how it is trusted, how long it is waited for, what comes of a connection that ends."""

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from bundle.errors import EngineError
from clients.engine import _connection
from clients.engine._connection import EngineConnection
from clients.engine._host import EngineHost
from clients.engine.engine import Engine
from tests.fixtures.servers.fake_engine import (
    Answer,
    FakeEngine,
    Handler,
    body,
    early,
    fake_engine,
    stream,
    write_context,
)

IMAGE = {"Id": "sha256:" + "1" * 64, "Os": "linux", "Architecture": "amd64"}
AUTHORITY = trustme.CA()


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.plan("GET /images/app/json", body(200, IMAGE))
        yield engine


@pytest.fixture
def behind_tls() -> Iterator[FakeEngine]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    with fake_engine(tls=context) as engine:
        yield engine


def by_context(
    config: Path, fake: FakeEngine, *, authority: trustme.CA | None = None, skip: bool = False
) -> Mapping[str, str]:
    """The environment of a context that knows this CA, or skips verification."""
    place = write_context(config, "far", {"Host": fake.host, "SkipTLSVerify": skip})
    if authority:
        place.mkdir(parents=True)
        authority.cert_pem.write_to_path(place / "ca.pem")
    return {"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "far"}


def test_a_context_with_only_a_ca_is_tls(behind_tls: FakeEngine, tmp_path: Path) -> None:
    assert Engine(by_context(tmp_path, behind_tls, authority=AUTHORITY)).ping(subject="x") == "1.41"


def test_a_context_that_skips_verification_is_tls(behind_tls: FakeEngine, tmp_path: Path) -> None:
    assert Engine(by_context(tmp_path, behind_tls, skip=True)).ping(subject="x") == "1.41"


@pytest.mark.parametrize("skip", [False, True], ids=["only a CA", "skips verification"])
def test_what_is_to_be_tls_is_never_plain_http(tmp_path: Path, skip: bool) -> None:
    with fake_engine(tcp=True) as plain:
        env = by_context(tmp_path, plain, authority=None if skip else AUTHORITY, skip=skip)
        with pytest.raises(EngineError, match="TLS failed"):
            Engine(env).ping(subject="x")
        assert plain.seen == []


def test_tls_that_fails_when_the_answer_is_read(behind_tls: FakeEngine, tmp_path: Path) -> None:
    """As TLS 1.3 does where the Engine wants a certificate and was shown none."""

    def no_record(handler: Handler) -> None:
        os.write(handler.connection.fileno(), b"?" * 100)

    behind_tls.plan("GET /images/app/json", no_record)
    with pytest.raises(EngineError, match=r"no Docker Engine at tcp://.*TLS failed") as caught:
        Engine(by_context(tmp_path, behind_tls, authority=AUTHORITY)).inspect("app", subject="x")
    assert "cert.pem" in caught.value.hint


@pytest.mark.parametrize("authority", [None, trustme.CA()], ids=["no CA", "another CA"])
def test_a_ca_that_is_not_named_is_not_trusted(
    behind_tls: FakeEngine, tmp_path: Path, authority: trustme.CA | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one that the environment names for others."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    env = dict(by_context(tmp_path, behind_tls, authority=authority))
    if authority is None:
        env = {"DOCKER_HOST": behind_tls.host.replace("tcp:", "https:")}
    with pytest.raises(EngineError, match="its certificate is not trusted"):
        Engine(env).ping(subject="x")


def test_each_request_has_a_connection_of_its_own(fake: FakeEngine) -> None:
    """The fake closes each after one answer without saying so, and the next request may come before that is seen."""
    engine = Engine(fake.env)
    for _ in range(20):
        assert engine.inspect("app", subject="x")
    assert fake.connections == 21  # one asked for the version


def test_a_connection_that_was_kept_open_is_not_used_again(fake: FakeEngine) -> None:
    """Behind a firewall that has forgotten it, it would swallow the next request without an answer."""
    hung = threading.Event()

    def and_hangs(handler: Handler) -> None:
        body(200, IMAGE)(handler)
        if handler.rfile.read(1) == b"":
            hung.set()

    fake.plan("GET /images/app/json", and_hangs)
    assert Engine(fake.env).inspect("app", subject="x")
    assert hung.wait(10), "and it is closed when it was used"


def test_a_stream_that_tells_an_error_is_left_at_once(fake: FakeEngine) -> None:
    left = threading.Event()

    def goes_on(handler: Handler) -> None:
        stream({"errorDetail": {"message": "no"}}, cut=True)(handler)
        if handler.rfile.read(1) == b"":
            left.set()

    fake.plan("POST /images/load", goes_on)
    with pytest.raises(EngineError, match="the Docker Engine says: no"):
        Engine(fake.env).load(3, iter([b"abc"]), subject="x")
    assert left.wait(10)


def test_an_engine_may_take_what_is_sent_as_slowly_as_it_likes(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connection, "_CONNECT_SECONDS", 0.1)
    taken = []

    def slowly(handler: Handler) -> None:
        time.sleep(0.5)
        taken.append(len(handler.rfile.read(int(handler.headers["Content-Length"]))))
        time.sleep(0.5)
        stream({"stream": "Loaded"})(handler)

    fake.plan("POST /images/load", early(slowly))
    piece = bytes(1024 * 1024)
    Engine(fake.env).load(8 * len(piece), iter([piece] * 8), subject="x")
    assert taken == [8 * len(piece)]


@pytest.mark.parametrize("scheme", ["https", "tcp"])
def test_to_connect_has_a_bound(monkeypatch: pytest.MonkeyPatch, scheme: str, tmp_path: Path) -> None:
    """The server takes the connection, and says nothing of TLS."""
    monkeypatch.setattr(_connection, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        env = {"DOCKER_HOST": f"{scheme}://127.0.0.1:{server.getsockname()[1]}"}
        if scheme == "tcp":
            env.update(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))
        with pytest.raises(EngineError, match=r"no Docker Engine at tcp://127\.0\.0\.1:.*timed out"):
            Engine(env).ping(subject="x")


def test_a_socket_that_takes_no_more_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(tmp_path / "full.sock"))
        server.listen(0)
        first.connect(str(tmp_path / "full.sock"))
        with pytest.raises(EngineError, match=r"no Docker Engine at unix://.*: resource temporarily unavailable"):
            Engine({"DOCKER_HOST": f"unix://{tmp_path}/full.sock"}).ping(subject="x")


def test_a_refusal_in_many_words_is_no_success(fake: FakeEngine) -> None:
    """Go sends an answer beyond 2 KiB in chunks, and the SDK reads those of a load as messages, whatever the status."""

    def refuses(handler: Handler) -> None:
        data = json.dumps({"message": "it is " + "very " * 1000 + "full"}).encode()
        handler.send_response(500)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    fake.plan("POST /images/load", refuses)
    with pytest.raises(EngineError, match=r"x: the Docker Engine says: it is very very .* full") as caught:
        Engine(fake.env).load(3, iter([b"abc"]), subject="x")
    assert caught.value.status == 500


def redirects(handler: Handler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "/images/other/json")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def page(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "6")
    handler.end_headers()
    handler.wfile.write(b"<html>")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        pytest.param(redirects, "the Docker Engine says: Temporary Redirect", id="redirect"),
        pytest.param(page, "what the Docker Engine at unix://.* answers is not JSON", id="page"),
    ],
)
def test_who_is_no_engine(fake: FakeEngine, answer: Answer, what: str) -> None:
    fake.plan("GET /images/app/json", answer)
    fake.plan("GET /images/other/json", body(200, IMAGE))
    with pytest.raises(EngineError, match=f"x: {what}"):
        Engine(fake.env).inspect("app", subject="x")
    assert len(fake.seen) == 1


def test_a_stream_that_is_no_messages(fake: FakeEngine) -> None:
    fake.plan("POST /images/load", stream(b"<html>"))
    with pytest.raises(EngineError, match="answers is not JSON"):
        Engine(fake.env).load(3, iter([b"abc"]), subject="x")


def test_a_load_that_was_not_taken_whole_is_no_success(fake: FakeEngine) -> None:
    fake.plan("POST /images/load", early(stream({"stream": "Loaded"})))
    piece = bytes(1024 * 1024)
    with pytest.raises(EngineError, match="stopped answering: the connection was cut"):
        Engine(fake.env).load(64 * len(piece), iter([piece] * 64), subject="x")


def test_a_fault_in_the_middle_is_told_by_its_own_words(fake: FakeEngine) -> None:
    """Not by those of what is handled around it."""
    fake.plan("GET /images/app/get", stream(b"x" * 1000, cut=True))
    try:
        raise OSError(5, "Other trouble")  # noqa: TRY301
    except OSError:
        with pytest.raises(EngineError, match="stopped answering: the connection was cut"):
            list(Engine(fake.env).save("app", subject="x"))


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    connection = EngineConnection(EngineHost(socket=long, origin="here"))
    with (
        pytest.raises(EngineError, match=r"no Docker Engine at unix://.*x \(here\): af_unix path too long"),
        connection.client(subject="x") as client,
    ):
        client.ping()


def test_no_socket_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    engine = Engine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    for _ in range(3):
        with pytest.raises(EngineError) as caught:
            engine.ping(subject="x")
        assert len(os.listdir("/proc/self/fd")) == before, caught
