"""Docker 26 with either of its image stores, and Podman 5: what they save is taken, what a bundle has is loaded."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fixtures.benches.engine_bench import (
    MANY,
    ONE,
    TWO,
    EngineBench,
    config_digest,
    installed,
    make_bench,
    must,
    source,
)
from tests.fixtures.parts.engines import KINDS, NewerEngine, newer_engine
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.engine
WANTED = {"one": ONE, "many": TWO}


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, registry: RunningRegistry) -> Iterator[NewerEngine]:
    """Each of them in turn, with no images."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(newer_engine(request.param, registry=registry.host))
        except PartError as err:
            pytest.skip(str(err))
        yield running


def only(*kinds: str) -> pytest.MarkDecorator:
    """For a test of what some of them do only."""
    return pytest.mark.parametrize("engine", kinds, indirect=True)


@pytest.fixture
def bench(tmp_path: Path, registry: RunningRegistry, engine: NewerEngine) -> EngineBench:
    return make_bench(tmp_path / f"newer-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:10]}", registry, engine)


def upstream(bench: EngineBench, name: str) -> str:
    """What an image is called in the registry outside."""
    return f"{bench.registry.host}/{bench.place.name}/{name}:1"


def config_in(bench: EngineBench, name: str) -> str:
    """The config of an image of the bundle, which is one layout."""
    digest = bench.entries()[name]["digest"].partition(":")[2]
    return str(json.loads((bench.bundle / "images/blobs/sha256" / digest).read_bytes())["config"]["digest"])


def test_it_pulls_and_saves_outside_and_loads_and_pushes_inside(bench: EngineBench, engine: NewerEngine) -> None:
    must(bench, "bundle", "engine=docker")
    assert {name: each["config"] for name, each in bench.entries().items()} == {
        name: config_digest(content) for name, content in WANTED.items()
    }
    engine.clear()
    installed(bench, "engine=docker")
    for name, content in WANTED.items():
        assert bench.pushed(name)[1]["config"]["digest"] == config_digest(content)
    assert installed(bench, "engine=docker") == []


def test_what_it_saves_is_taken(bench: EngineBench, engine: NewerEngine) -> None:
    """One image, two tags of one, and two images, an archive each."""
    bench.bench.place.mkdir(exist_ok=True)
    for name in WANTED:
        engine.docker("pull", upstream(bench, name))
    engine.docker("tag", upstream(bench, "one"), "team/again:2")
    for file, names in (
        ("single", [upstream(bench, "one")]),
        ("tags", [upstream(bench, "one"), "team/again:2"]),
        ("two", [upstream(bench, "one"), upstream(bench, "many")]),
    ):
        engine.docker("save", "--output", str(bench.bench.place / f"{file}.tar"), *names)
    bench.write([
        {"name": "single", "source": "docker-archive:single.tar", "target": "single:1"},
        {"name": "again", "source": "docker-archive:tags.tar:team/again:2", "target": "again:1"},
        {"name": "many", "source": f"docker-archive:two.tar:{upstream(bench, 'many')}", "target": "many:1"},
    ])  # fmt: skip
    must(bench, "bundle")
    wanted = {"single": ONE, "again": ONE, "many": TWO}
    assert {name: config_in(bench, name) for name in wanted} == {
        name: config_digest(content) for name, content in wanted.items()
    }


def loaded_by_hand(bench: EngineBench, engine: NewerEngine) -> None:
    """Load the bundle's images as README.md says."""
    load = f"tar -C {bench.bundle / 'images'} -cf - . | docker load"
    subprocess.run(load, shell=True, env=engine.env, capture_output=True, check=True)


@only("docker-containerd")
def test_several_platforms_go_through_its_store(bench: EngineBench, engine: NewerEngine) -> None:
    bench.write([source(bench, "many", platform="all")])
    must(bench, "bundle")
    loaded_by_hand(bench, engine)
    name = f"{bench.prefix}/many:1"
    engine.docker("save", "--output", str(bench.bench.place / "saved.tar"), name)
    bench.write([{"name": "many", "source": f"docker-archive:saved.tar:{name}", "target": "many:2", "platform": "all"}])
    must(bench, "lock")
    must(bench, "bundle")
    assert bench.entries()["many"]["digest"] == str(MANY.descriptor.digest)


@only("podman")
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_what_podmans_own_command_saves(bench: EngineBench, engine: NewerEngine, form: str) -> None:
    engine.docker("pull", upstream(bench, "one"))
    engine.podman("save", "--format", form, "--output", f"/work/{form}.tar", upstream(bench, "one"))
    bench.write([{"name": "one", "source": f"{form}:{engine.work / form}.tar", "target": "one:1"}])
    must(bench, "bundle")
    assert config_in(bench, "one") == config_digest(ONE)
    engine.clear()
    loaded_by_hand(bench, engine)
    assert engine.podman("images", "--quiet", "--no-trunc").split() == [config_digest(ONE)]
