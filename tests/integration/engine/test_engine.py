"""Images through a real Docker Engine, on either side or both: what a site's rules call pull, tag, save, load, push."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import trustme

from bundle.errors import EngineError
from bundle.oci.platform import Platform
from clients.engine.engine import Engine as EngineClient
from tests.fixtures.benches.engine_bench import (
    BASE,
    MANY,
    ONE,
    TWO,
    EngineBench,
    config_digest,
    installed,
    made_digest,
    make_bench,
    must,
    own_engine,
    source,
)
from tests.fixtures.images.images import image, layer
from tests.fixtures.images.system_images import DEBIAN, layer_of
from tests.fixtures.parts.clusters import free_ports
from tests.fixtures.parts.parts import Engine
from tests.fixtures.parts.registries import RunningRegistry, TlsFiles
from tests.fixtures.servers.fake_engine import write_context

pytestmark = pytest.mark.engine
AMD64 = Platform(os="linux", architecture="amd64")
WANTED = {"one": ONE, "many": TWO}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory whose name is that of nobody else's repositories."""
    return tmp_path / f"engine-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}"


@pytest.fixture
def bench(place: Path, registry: RunningRegistry, engine: Engine) -> EngineBench:
    return make_bench(place, registry, engine)


def check_inside(bench: EngineBench) -> None:
    """The registry has the images that were outside, and the receipt says so."""
    for name, content in WANTED.items():
        digest, manifest = bench.pushed(name)
        assert manifest["config"]["digest"] == config_digest(content)
        received = bench.received()[name]
        assert received["digest"] == digest
        blobs = {each["digest"] for each in (manifest["config"], *manifest["layers"])}
        assert received["blobs"].keys() <= blobs, "a delta would count on what is not there"


PAIRS = [("docker", "docker"), ("docker", "none"), ("none", "docker"), ("none", "none")]


@pytest.mark.parametrize(("outside", "inside"), PAIRS, ids=[f"{outside} to {inside}" for outside, inside in PAIRS])
def test_every_pairing(bench: EngineBench, engine: Engine, outside: str, inside: str) -> None:
    layout = "docker-archive" if outside == "docker" else "oci"
    bench.write([source(bench, "one"), source(bench, "many")], layout=layout)
    must(bench, "bundle", f"engine={outside}")
    for name, entry in bench.entries().items():
        by_engine = outside == "docker"
        assert ("upstream" in entry, "config" in entry) == (by_engine, by_engine)
        if by_engine:
            upstream = (ONE if name == "one" else MANY).descriptor.digest
            assert (entry["upstream"], entry["config"]) == (str(upstream), config_digest(WANTED[name]))
            assert entry["digest"] == made_digest(WANTED[name])
        else:
            assert entry["digest"] == str(WANTED[name].descriptor.digest)
    engine.clear()
    installed(bench, f"engine={inside}")
    check_inside(bench)
    assert installed(bench, f"engine={inside}") == []
    if inside == "docker":
        engine.docker("rmi", f"{bench.prefix}/one:1")
        assert installed(bench, "engine=docker") == ["preflight", "transfer"]
        assert f"{bench.prefix}/one:1" in names(engine)


@pytest.mark.parametrize("inside", ["docker", "none"])
def test_a_registry_with_tls(place: Path, tls_registry: RunningRegistry, engine: Engine, inside: str) -> None:
    bench = make_bench(place, tls_registry, engine)
    bench.write([source(bench, "one"), source(bench, "many")], layout="docker-archive")
    must(bench, "bundle", "engine=docker")
    installed(bench, f"engine={inside}")
    check_inside(bench)


def test_the_spec_chooses_and_a_second_run_asks_nobody(bench: EngineBench, engine: Engine) -> None:
    bench.bench.spec["engine"] = "docker"
    bench.bench.write()
    must(bench, "bundle")
    lock = (bench.bench.place / "airgap.lock").read_bytes()
    ran, seen = bench.bench.watched("bundle")
    assert (ran.code, ran.steps) == (0, [])
    assert not [each for each in seen if each.startswith("socket")]
    assert installed(bench) == ["preflight", "push:many", "push:one", "receipt", "transfer", "verify"], (
        "one Engine has them already"
    )
    engine.clear()
    assert installed(bench) == ["preflight", "transfer"]
    assert names(engine) == {f"{bench.prefix}/{name}:1" for name in ("many", "one")}
    assert "push:one" in installed(bench, "engine=none")
    must(bench, "bundle", "engine=none")
    pins = json.loads((bench.bench.place / "airgap.lock").read_bytes())["images"]
    assert {name: pin["digest"] for name, pin in pins.items()} == {
        name: str(content.descriptor.digest) for name, content in WANTED.items()
    }
    must(bench, "bundle")
    again = json.loads((bench.bench.place / "airgap.lock").read_bytes())["images"]
    assert {name: pin["digest"] for name, pin in again.items()} == {
        name: pin["digest"] for name, pin in json.loads(lock)["images"].items()
    }


def test_by_hand_as_the_procedure_says(bench: EngineBench, engine: Engine) -> None:
    bench.write([source(bench, "one"), source(bench, "many")], layout="docker-archive")
    must(bench, "bundle", "engine=docker")
    engine.clear()
    commands = 'for f in images/*.tar; do docker load < "$f"; done'
    subprocess.run(commands, shell=True, cwd=bench.bench.bundle, env=engine.env, capture_output=True, check=True)
    for name, content in WANTED.items():
        engine.docker("tag", f"{bench.prefix}/{name}:1", f"{bench.prefix}/by-hand-{name}:2")
        engine.docker("push", f"{bench.prefix}/by-hand-{name}:2")
        _, manifest = bench.pushed(f"by-hand-{name}", "2")
        assert manifest["config"]["digest"] == config_digest(content)


def test_another_registry_than_the_specs(bench: EngineBench, engine: Engine) -> None:
    must(bench, "bundle")
    other = f"{bench.registry.host}/other-{bench.place.name}"
    installed(bench, "engine=docker", f"registry={other}")
    assert f"{other}/one" in engine.docker("images", "--format", "{{.Repository}}")
    assert bench.received()["one"]["ref"] == f"{other}/one:1"


def test_names_stand_for_what_the_registry_has(bench: EngineBench) -> None:
    bench.bench.spec["install"] = {"notes": "one is ${image.one.digest}"}
    bench.bench.write()
    must(bench, "bundle")
    ran = bench.inside("install", "engine=docker")
    digest, _ = bench.pushed("one")
    assert digest != bench.entries()["one"]["digest"]
    assert f"one is {digest}" in ran.out


def test_an_image_that_is_made_inside(bench: EngineBench) -> None:
    (bench.bench.place / "site.crt").write_bytes(trustme.CA().cert_pem.bytes())
    own = trustme.CA().cert_pem.bytes()
    files = {name: own if isinstance(content, bytes) else content for name, content in DEBIAN.items()}
    stored = image(layer_of(files))
    bench.registry.put(stored, f"{bench.place.name}/client", "1")
    bench.write([source(bench, "client"), {"name": "client-ca", "base": "client", "add_ca": "site.crt"}])
    must(bench, "bundle", "engine=docker")
    assert {"derive:client-ca", "load:client-ca", "push:client-ca"} <= set(installed(bench, "engine=docker"))
    digest, manifest = bench.pushed("client-ca")
    assert bench.received()["client-ca"]["digest"] == digest
    assert len(manifest["layers"]) == 2
    assert installed(bench, "engine=docker") == []


def test_a_delta_is_completed_from_the_registry(bench: EngineBench, engine: Engine) -> None:
    must(bench, "bundle")
    installed(bench)
    receipt = bench.state / "receipt.json"
    changed = image(BASE, layer("changed", 5_000))
    bench.registry.put(changed, f"{bench.place.name}/new", "1")
    bench.write([source(bench, "new")], version="1.1")
    must(bench, "bundle", f"since={receipt}")
    bench.directory = "app-1.1-since-1.0"
    assert "load:new" in installed(bench, "engine=docker")
    _, manifest = bench.pushed("new")
    assert manifest["config"]["digest"] == config_digest(changed)


def test_an_image_that_was_only_built_here(bench: EngineBench, engine: Engine) -> None:
    """Without an Engine on either side otherwise."""
    build(engine, "first")
    bench.write([{"name": "own", "source": "docker-daemon:team/own:1"}])
    must(bench, "bundle")
    assert bench.entries()["own"]["config"] == built(engine)
    installed(bench)
    _, manifest = bench.pushed("own")
    assert manifest["config"]["digest"] == built(engine)
    assert must(bench, "bundle") == []
    must(bench, "clean", "pull")
    build(engine, "second")
    ran = bench.bench.doit("bundle")
    assert ran.code == 1
    assert "image 'own' (docker-daemon:team/own:1): the Docker Engine has another image than is pinned" in ran.err
    assert "doit lock" in ran.err
    must(bench, "lock")
    must(bench, "bundle")
    assert bench.entries()["own"]["config"] == built(engine)
    assert "team/own:1" in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")


def build(engine: Engine, seed: str) -> None:
    """Make an image on the Engine, as a build does."""
    engine.docker("import", "-", "team/own:1", stdin=layer(seed, 100_000, compressed=False).data)


def built(engine: Engine) -> str:
    """The ID of what was built."""
    return engine.docker("inspect", "--format", "{{.Id}}", "team/own:1").strip()


def names(engine: Engine) -> set[str]:
    """What the Engine has, by name."""
    return set(engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())


def test_clean_takes_away_what_was_brought_and_nothing_else(bench: EngineBench, engine: Engine) -> None:
    build(engine, "mine")
    mine = f"{bench.registry.host}/{bench.place.name}/one:1"
    engine.docker("pull", mine)
    before = names(engine)
    must(bench, "bundle")
    installed(bench, "engine=docker")
    assert names(engine) == before | {f"{bench.prefix}/{name}:1" for name in WANTED}
    ran = bench.inside("clean", "load", "engine=docker")
    assert (ran.code, ran.err) == (0, "")
    assert names(engine) == before
    must(bench, "bundle", "engine=docker")
    assert names(engine) > before
    engine.docker("tag", "team/own:1", f"{bench.prefix}/many:1")  # somebody gives our name to something else
    ran = bench.bench.doit("clean", "pull", "engine=docker")
    assert ran.code == 0
    assert f"{bench.prefix}/many:1 stays: it names another image by now" in ran.out
    assert names(engine) == before | {f"{bench.prefix}/many:1"}
    assert "removed" not in bench.bench.doit("clean", "pull", "engine=docker").out


def test_the_engine_that_a_context_names(engine: Engine, tmp_path: Path) -> None:
    """docker itself makes the context, and says which Engine it leads to."""
    env = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    create = ["docker", "context", "create", "ours", "--docker", f"host={engine.host}"]
    subprocess.run(create, env=env, capture_output=True, check=True)
    subprocess.run(["docker", "context", "use", "ours"], env=env, capture_output=True, check=True)
    shown = subprocess.run(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        env=env, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    client = EngineClient(env)
    assert client.place == shown == engine.host
    assert client.ping(subject="x")


def test_an_engine_behind_tls(tls_files: TlsFiles, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    host = f"tcp://127.0.0.1:{port}"
    options = ["--host", host, "--tlsverify", "--tlscacert", str(tls_files.ca)]
    options += ["--tlscert", str(tls_files.certificate), "--tlskey", str(tls_files.key)]
    certificates = write_context(tmp_path, "far", {"Host": host, "SkipTLSVerify": False})
    certificates.mkdir(parents=True)
    files = {"ca.pem": tls_files.ca, "cert.pem": tls_files.certificate, "key.pem": tls_files.key}
    for name, file in files.items():
        (certificates / name).write_bytes(file.read_bytes())
    with own_engine(options=options):
        assert EngineClient({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}).ping(subject="x")
        env = {"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
        assert EngineClient(env).ping(subject="x")
        with pytest.raises(EngineError, match="it wants TLS: set DOCKER_TLS_VERIFY=1"):
            EngineClient({"DOCKER_HOST": host}).ping(subject="x")
        (certificates / "cert.pem").unlink()
        with pytest.raises(EngineError, match=r"no Docker Engine at tcp://.*TLS failed") as caught:
            EngineClient(env).ping(subject="x")
        assert "cert.pem" in caught.value.hint
        (certificates / "ca.pem").unlink()
        with pytest.raises(EngineError, match="its certificate is not trusted"):
            EngineClient(env).ping(subject="x")
