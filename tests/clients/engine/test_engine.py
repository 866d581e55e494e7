"""What an Engine says, and what it hides: each call against one that answers as planned."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from bundle.errors import EngineError
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from clients.engine.engine import NOT_OFFERED, Engine
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.servers.fake_engine import Answer, FakeEngine, body, early, fake_engine, stream

APP = Reference.parse("registry.example.com/team/app:1")
AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")
DIGEST = Digest.of(b"pushed")
INSPECT = "GET /images/registry.example.com/team/app:1/json"
IMAGE = {"Id": "sha256:" + "1" * 64, "Os": "linux", "Architecture": "amd64", "RootFS": {"Layers": ["sha256:x"]}}


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.fixture
def engine(fake: FakeEngine) -> Engine:
    return Engine(fake.env)


def pull(engine: Engine, meter: RecordingMeter, platform: Platform = AMD64) -> Any:
    return engine.pull(APP, platform, subject="image 'app'", meter=meter)


def push(engine: Engine, meter: RecordingMeter) -> Digest:
    return engine.push(APP, subject="image 'app'", meter=meter)


def progress(layer: str, current: int, total: int, status: str = "Downloading") -> dict[str, Any]:
    return {"status": status, "id": layer, "progressDetail": {"current": current, "total": total}}


def test_a_pull_counts_what_comes_and_tells_the_digest(fake: FakeEngine, engine: Engine, meter: RecordingMeter) -> None:
    fake.plan(
        "POST /images/create",
        stream(
            progress("a", 10, 100),
            progress("a", 5, 100),
            progress("b", 1, 20),
            {"status": "Download complete", "id": "a"},
            {"status": "Digest: " + str(DIGEST)},
        ),
    )
    fake.plan(INSPECT, body(200, IMAGE))
    image, digest = pull(engine, meter)
    assert (image.id, digest) == (IMAGE["Id"], DIGEST)
    assert (meter.expected, meter.moved) == (120, 101)
    path, _, query = fake.seen[0][0].partition("?")
    assert path == "POST /v1.41/images/create"
    assert dict(parse_qsl(query)) == {"fromImage": APP.repository, "tag": "1", "platform": "linux/amd64"}


def test_an_engine_that_does_not_say_what_it_pulled(fake: FakeEngine, engine: Engine, meter: RecordingMeter) -> None:
    """As Podman."""
    fake.plan("POST /images/create", stream({"status": "Download complete", "id": "a"}))
    noted = ["other.example.com/app@" + str(Digest.of(b"other")), f"{APP.repository}@{DIGEST}", "<none>@<none>"]
    fake.plan(INSPECT, body(200, {**IMAGE, "RepoDigests": noted}))
    assert pull(engine, meter)[1] == DIGEST


def test_another_platform_than_asked_for(fake: FakeEngine, engine: Engine, meter: RecordingMeter) -> None:
    fake.plan("POST /images/create", stream({"status": "Status: Image is up to date"}))
    fake.plan(INSPECT, body(200, IMAGE))
    with pytest.raises(EngineError, match=r"'app'.*took the image for linux/amd64, expected linux/arm64"):
        pull(engine, meter, ARM64)


@pytest.mark.parametrize(
    ("answer", "what", "hint"),
    [
        pytest.param(
            stream({"errorDetail": {"message": "toomanyrequests: slow down"}, "error": "x"}),
            r"image 'app': the Docker Engine says: toomanyrequests: slow down",
            "log in, which often allows more",
            id="error in the stream",
        ),
        pytest.param(
            stream({"error": "no matching manifest for linux/s390x in the manifest list entries"}),
            "no matching manifest for linux/s390x",
            "choose a platform",
            id="platform",
        ),
        pytest.param(
            body(404, {"message": "manifest for app:1 not found: manifest unknown"}),
            "not found",
            "no tag '1'",
            id="404",
        ),
        pytest.param(
            body(500, {"message": 'Head "https://h/v2/": no basic auth credentials'}),
            "no basic auth credentials",
            "docker login registry.example.com",
            id="no login",
        ),
        pytest.param(
            body(500, {"message": "Get: x509: certificate signed by unknown authority"}),
            "x509",
            "/etc/docker/certs.d/registry.example.com/ca.crt",
            id="untrusted",
        ),
        pytest.param(
            body(500, {"message": "http: server gave HTTP response to HTTPS client"}),
            "HTTP response",
            '"registry.example.com" to insecure-registries',
            id="plain HTTP",
        ),
        pytest.param(
            stream({"errorDetail": {"message": "write /x: no space left on device"}}),
            "no space left on device",
            "DockerRootDir",
            id="full",
        ),
        pytest.param(
            body(500, {"message": "dial tcp 1.2.3.4:443: connect: connection refused"}),
            "connection refused",
            "the Docker daemon that has to reach registry.example.com",
            id="unreachable",
        ),
        pytest.param(stream(progress("a", 1, 2), cut=True), "stopped answering", "docker info", id="cut off"),
        pytest.param(stream({"status": "done"}), "has no registry.example.com/team/app:1 after", "again", id="lost"),
    ],
)
def test_what_a_pull_does_not_survive(
    fake: FakeEngine, engine: Engine, meter: RecordingMeter, answer: Answer, what: str, hint: str
) -> None:
    fake.plan("POST /images/create", answer)
    with pytest.raises(EngineError, match=what) as caught:
        pull(engine, meter)
    assert hint in caught.value.hint
    assert caught.value.what.startswith("image 'app': ")


def test_a_push_tells_the_digest_of_its_stream(fake: FakeEngine, engine: Engine, meter: RecordingMeter) -> None:
    fake.plan(
        "POST /images/registry.example.com/team/app/push",
        stream(
            progress("a", 30, 20, "Pushing"),
            {"status": "Layer already exists", "id": "b"},
            {"aux": {"Tag": "1", "Digest": str(DIGEST), "Size": 1}},
        ),
    )
    assert push(engine, meter) == DIGEST
    assert (meter.expected, meter.moved) == (20, 20)


def test_a_push_that_tells_its_digest_in_words(fake: FakeEngine, engine: Engine, meter: RecordingMeter) -> None:
    """As Podman."""
    said = {"status": f"1: digest: {DIGEST} size: 560"}
    fake.plan("POST /images/registry.example.com/team/app/push", stream({"status": "Pushed"}, said))
    assert push(engine, meter) == DIGEST


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        pytest.param(stream({"errorDetail": {"message": "denied: no right"}}), "denied: no right", id="denied"),
        pytest.param(stream({"status": "Pushed"}), "does not say that it pushed", id="no digest"),
    ],
)
def test_a_push_that_hides_its_failure(
    fake: FakeEngine, engine: Engine, meter: RecordingMeter, answer: Answer, what: str
) -> None:
    fake.plan("POST /images/registry.example.com/team/app/push", answer)
    with pytest.raises(EngineError, match=what):
        push(engine, meter)


def test_the_login_goes_along_and_is_nowhere_told(fake: FakeEngine, meter: RecordingMeter, tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:hunter2").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": auth}}}))
    engine = Engine({**fake.env, "DOCKER_CONFIG": str(tmp_path)})
    fake.plan("POST /images/registry.example.com/team/app/push", body(401, {"message": "unauthorized"}))
    with pytest.raises(EngineError) as caught:
        push(engine, meter)
    sent = json.loads(base64.urlsafe_b64decode(fake.seen[-1][1]["X-Registry-Auth"]))
    assert sent == {"username": "me", "password": "hunter2", "serveraddress": "registry.example.com"}
    assert "hunter2" not in f"{caught.value!r} {caught.value}"


def test_what_is_loaded_is_sent_whole(fake: FakeEngine, engine: Engine) -> None:
    fake.plan("POST /images/load", stream({"stream": "Loaded image: app:1\n"}))
    engine.load(6, iter([b"abc", b"def"]), subject="image 'app'")
    assert fake.seen[-1][2] == b"abcdef"


@pytest.mark.parametrize(
    "answer",
    [
        early(body(500, {"message": "write: no space left on device"})),
        early(stream({"errorDetail": {"message": "write: no space left on device"}})),
    ],
    ids=["refusal", "stream"],
)
def test_an_engine_that_stops_taking_a_load_has_said_why(fake: FakeEngine, engine: Engine, answer: Answer) -> None:
    fake.plan("POST /images/load", answer)
    piece = bytes(1024 * 1024)
    with pytest.raises(EngineError, match="no space left on device") as caught:
        engine.load(64 * len(piece), iter([piece] * 64), subject="image 'app'")
    assert "DockerRootDir" in caught.value.hint


def test_what_goes_wrong_in_making_a_load_comes_through(fake: FakeEngine, engine: Engine) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"abc"
        raise ZeroDivisionError

    fake.plan("POST /images/load", stream({"stream": "Loaded"}))
    with pytest.raises(ZeroDivisionError):
        engine.load(6, pieces(), subject="image 'app'")


def test_a_saved_stream_that_is_cut_off(fake: FakeEngine, engine: Engine) -> None:
    fake.plan("GET /images/app/get", stream(b"x" * 1000, cut=True))
    with pytest.raises(EngineError, match=r"image 'app': the Docker Engine at unix://.* stopped answering"):
        list(engine.save("app", subject="image 'app'"))


@pytest.mark.parametrize("version", ["1.31", "", "one"])
def test_an_engine_that_is_too_old(fake: FakeEngine, engine: Engine, version: str) -> None:
    fake.version = version
    with pytest.raises(EngineError, match=r"expected 1\.32 or later"):
        engine.ping(subject="Docker Engine")


def test_no_engine(tmp_path: Path) -> None:
    engine = Engine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    with pytest.raises(EngineError, match=r"no Docker Engine at unix://.*DOCKER_HOST.*no such socket") as caught:
        engine.ping(subject="Docker Engine")
    assert "engine=none" in caught.value.hint


def test_a_socket_that_nobody_listens_at(fake: FakeEngine, tmp_path: Path) -> None:
    os.rename(fake.socket, tmp_path / "old.sock")
    with fake_engine() as other:
        os.rename(other.socket, fake.socket)
    with pytest.raises(EngineError, match="nothing answers there"):
        Engine(fake.env).ping(subject="Docker Engine")


def test_what_the_registry_has(fake: FakeEngine, engine: Engine) -> None:
    fake.plan(f"GET /distribution/{APP.repository}:1/json", body(200, {"Descriptor": {"digest": str(DIGEST)}}))
    assert engine.registry_digest(APP, subject="image 'app'") == DIGEST
    other = Reference.parse("registry.example.com/team/other:1")
    assert engine.registry_digest(other, subject="image 'app'") is None
    fake.plan(f"GET /distribution/{other.repository}:1/json", body(404, {"message": "page not found"}))
    with pytest.raises(EngineError) as caught:
        engine.registry_digest(other, subject="image 'app'")
    assert caught.value.status == NOT_OFFERED
