"""What goes wrong with a real Docker Engine: one clear error each, and nothing is lost."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import EngineError, IntegrityError
from bundle.images.docker_load import Loadable
from bundle.oci.descriptor import Descriptor
from bundle.oci.reference import Reference
from clients.engine.engine import Engine as EngineClient
from tests.fixtures.benches.engine_bench import (
    BASE,
    ONE,
    EngineBench,
    config_digest,
    installed,
    make_bench,
    must,
    own_engine,
    source,
)
from tests.fixtures.images.fake_images import ContentSource
from tests.fixtures.images.images import ARM64, image, layer
from tests.fixtures.parts.parts import Engine
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.engine
MIB = 1024 * 1024
NAME = Reference.parse("registry.example.com/team/one:1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory whose name is that of nobody else's repositories."""
    return tmp_path / f"engine-faults-{time.monotonic_ns()}"


@pytest.fixture
def bench(place: Path, registry: RunningRegistry, engine: Engine) -> EngineBench:
    return make_bench(place, registry, engine)


def refused(bench: EngineBench, *args: str) -> str:
    """Run outside, which must fail as a step does; what was said."""
    ran = bench.bench.doit(*args)
    assert ran.code == 1, ran.out + ran.err
    return ran.err


def test_no_engine(bench: EngineBench, tmp_path: Path) -> None:
    must(bench, "bundle")
    bench.env["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    told = refused(bench, "bundle", "engine=docker")
    assert re.search(r"FAILED pin:\w+: no Docker Engine at unix://.*: there is no such socket", told)
    assert re.search(r"FAILED pin:\w+: for the same reason as pin:", told), "told once"
    assert "engine=none works without any" in told
    assert (bench.bench.bundle / "manifest.json").exists(), "the last good bundle stays"
    ran = bench.inside("install", "engine=docker")
    assert ran.code == 1
    assert "FAILED preflight: the site is not ready, 1 found" in ran.err
    assert ran.err.count("no Docker Engine at unix://") == 1
    assert ran.steps == ["verify"]


def test_a_socket_that_this_user_may_not_use(engine: Engine) -> None:
    """In a child process that gives up being root."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            EngineClient({"DOCKER_HOST": engine.host}).ping(subject="image 'one'")
        except EngineError as err:
            os.write(writing, str(err).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert "this user may not use the Docker Engine at unix://" in told
    assert "usermod -aG docker" in told


def test_an_unknown_platform(bench: EngineBench) -> None:
    bench.registry.put(image(BASE, layer("arm", 100), platform=ARM64), f"{bench.place.name}/arm", "1")
    bench.write(
        [
            source(bench, "one", platform="all"),
            source(bench, "many", platform="linux/s390x"),
            source(bench, "arm"),
        ]
    )
    told = refused(bench, "bundle", "engine=docker")
    assert "image 'one' (" in told
    assert "a Docker Engine takes one platform of an image, and `all` was asked for" in told
    assert "no matching manifest for linux/s390x" in told
    assert "took the image for linux/arm64/v8, expected linux/amd64" in told
    assert "3 failed" in told


def test_a_registry_that_wants_a_login(
    place: Path, registry: RunningRegistry, auth_registry: RunningRegistry, engine: Engine
) -> None:
    bench = make_bench(place, auth_registry, engine)
    told = refused(bench, "bundle", "engine=docker")
    assert "FAILED pin:one: image 'one'" in told
    assert "no basic auth credentials" in told
    assert f"docker login {auth_registry.host}" in told
    login(bench, auth_registry)
    must(bench, "bundle", "engine=docker")
    (bench.place / "docker/config.json").unlink()
    ran = bench.inside("install", "engine=docker")
    assert ran.code == 1
    assert ran.steps == ["verify"]
    assert "no basic auth credentials" in ran.err
    login(bench, auth_registry)
    assert "push:one" in installed(bench, "engine=docker")
    files = [path for path in bench.place.rglob("*") if path.is_file() and path.name != "config.json"]
    written = b"".join(path.read_bytes() for path in files)
    assert auth_registry.password.encode() not in written


def login(bench: EngineBench, registry: RunningRegistry) -> None:
    """As `docker login` leaves it."""
    auth = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    config = {"auths": {registry.host: {"auth": auth}}}
    (bench.place / "docker/config.json").write_text(json.dumps(config))


def test_a_layer_that_the_registry_has_damaged(bench: EngineBench) -> None:
    content = image(layer(bench.place.name, 50_000))
    bench.registry.put(content, f"{bench.place.name}/bad", "1")
    path = bench.registry.blob_path(list(content.blobs)[1])
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] + bytes(10))
    bench.write([source(bench, "bad")])
    told = refused(bench, "bundle", "engine=docker")
    assert "FAILED pin:bad: image 'bad' (" in told
    assert "the Docker Engine says: filesystem layer verification failed" in told
    path.write_bytes(whole)
    must(bench, "bundle", "engine=docker")


class Damaged(ContentSource):
    """An image whose layers have lost their last byte."""

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        data = self.content[descriptor.digest]
        yield (data if descriptor.size < 5_000 else data[:-1] + b"?")[offset:]


def test_a_layer_that_is_damaged_on_the_way_in_is_not_loaded(engine: Engine) -> None:
    client = EngineClient({"DOCKER_HOST": engine.host})
    good = Loadable.of(ContentSource(ONE), ONE.descriptor, subject="image 'one'")
    bad = replace(good, source=Damaged(ONE))
    with pytest.raises(IntegrityError, match=r"image 'one': its layer sha256:\w+ is damaged.*it was not loaded"):
        client.load(bad.size(NAME), bad.tar(NAME), subject="image 'one'")
    assert client.inspect(str(NAME), subject="x") is None
    client.load(good.size(NAME), good.tar(NAME), subject="image 'one'")
    found = client.inspect(str(NAME), subject="x")
    assert found
    assert (found.id, found.layers) == (config_digest(ONE), good.diff_ids)


def test_a_data_root_that_is_full(small_disk: Callable[[int], Path], place: Path, registry: RunningRegistry) -> None:
    disk = small_disk(120)
    with own_engine(data=disk / "data") as engine:
        bench = make_bench(place, registry, engine)
        registry.put(image(layer(f"{place.name}-large", 24 * MIB)), f"{place.name}/large", "1")
        bench.write([source(bench, "one"), source(bench, "large")])
        must(bench, "bundle")
        filler = disk / "filler"
        free = os.statvfs(disk)
        filler.write_bytes(bytes(free.f_frsize * free.f_bavail - 10 * MIB))
        ran = bench.inside("install", "engine=docker")
        assert ran.code == 1
        assert "FAILED transfer: images 'one', 'large'" in ran.err
        assert "no space left on device" in ran.err
        assert "free space where the Docker daemon keeps its images" in ran.err
        filler.unlink()
        assert {"transfer", "push:large", "receipt"} <= set(installed(bench, "engine=docker"))


def test_an_engine_that_is_killed_half_way_is_gone_on_with(
    tmp_path: Path, place: Path, registry: RunningRegistry
) -> None:
    data = tmp_path / "data"
    with own_engine(data=data) as engine:
        bench = make_bench(place, registry, engine)
        registry.put(image(layer(f"{place.name}-large", 60 * MIB)), f"{place.name}/large", "1")
        bench.write([source(bench, "large")])
        words, env = bench.bench.command("bundle", "engine=docker")
        running = subprocess.Popen(
            [sys.executable, "-m", "doit", *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        partial = bench.bench.place / ".airgap/cache/partial"
        wait_for(lambda: any(path.stat().st_size for path in partial.glob("*")) or running.poll() is not None)
        os.kill(int(engine.pid_file.read_text()), signal.SIGKILL)
        told, _ = running.communicate(timeout=60)
        assert running.returncode == 1, told
        assert "FAILED pin:large: image 'large' (" in told
        assert f"the Docker Engine at {engine.host} stopped answering" in told
    with own_engine(data=data) as engine:
        bench.env["DOCKER_HOST"] = engine.host
        must(bench, "bundle", "engine=docker")
        installed(bench, "engine=none")


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)
