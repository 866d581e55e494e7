"""Images into the registry inside, straight or by a Docker Engine, and what to do where it refuses something."""

from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.transfer.referrers import list_tag
from tasks.install.push import load_steps
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import named, receiving
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.images.cosign_objects import Artifact, new_key, simple, write_public
from tests.fixtures.servers.faulty_registry import OFTEN, Fault, FaultyRegistry, instead, refusal

KEY = new_key()


@pytest.fixture
def image(faulty: FaultyRegistry) -> Descriptor:
    return faulty.put_image("team/app", "1", b"layer")


@pytest.fixture
def bench(tmp_path: Path, faulty: FaultyRegistry) -> Workbench:
    bench = Workbench(place=tmp_path / "project", env={"DOCKER_CONFIG": str(tmp_path)})
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0", "sbom": False},
            "registry": {"prefix": f"{faulty.host}/inside"},
            "registries": {faulty.host: {"plain_http": True}},
            "images": [
                {"name": "app", "source": f"{faulty.host}/team/app:1", "verify": {"cosign_key": "cosign.pub"}},
            ],
        }
    )
    write_public(KEY, bench.place / "cosign.pub")
    return bench


def attach(registry: FaultyRegistry, made: Artifact, tag: str = "") -> None:
    for data in made.blobs.values():
        registry.put_blob(data)
    registry.put_manifest("team/app", tag or str(made.descriptor.digest), made.raw, media_types.OCI_MANIFEST)


def install(bench: Workbench) -> Ran:
    return bench.doit("install", f"bundle={bench.bundle}", f"state={bench.place / 'inside'}")


def inside(registry: FaultyRegistry) -> set[str]:
    return {name for repository, name in registry.manifests if repository == "inside/app"}


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("PUT /v2/inside/app/manifests/sha256-", refusal(400, "MANIFEST_INVALID", "unknown media type")),
        ("PUT /v2/inside/app/manifests/sha256-", instead(415)),
    ],
    ids=["400", "415"],
)
def test_a_registry_inside_that_takes_no_such_artifacts(
    bench: Workbench, faulty: FaultyRegistry, image: Descriptor, part: str, fault: Fault
) -> None:
    attach(faulty, simple(KEY, image.digest), f"{list_tag(image.digest)}.sig")
    assert bench.doit("bundle").code == 0
    faulty.plan(part, *[fault] * OFTEN)
    ran = install(bench)
    assert ran.code == 1
    assert f"FAILED push:app: image 'app' (what is attached to it, {list_tag(image.digest)}.sig): " in ran.err
    assert "if this registry takes no such artifacts, set `referrers: false` of image 'app'" in ran.err


def test_without_an_engine_there_is_nothing_to_load(receiver: Receiver) -> None:
    assert list(load_steps(receiver)) == []


def test_each_image_is_loaded_after_the_bundle_was_checked(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", engine="docker")
    steps = named(load_steps(receiver))
    assert list(steps) == ["load:one", "load:two"]
    for step in steps.values():
        assert tuple(step.after) == ("transfer",)
        assert step.live
        assert step.undo
        assert step.undo.made() == (), "nothing is asked to tell what there is"


def test_it_is_asked_what_the_engine_has(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", engine="docker")
    asked: list[str] = []

    class Engine:
        def not_loaded(self, entry: object) -> str:
            asked.append(f"look {entry.name}")  # type: ignore[attr-defined]
            return "it is not loaded"

        def load(self, entry: object, step: str) -> str:
            asked.append(f"{step} {entry.name}")  # type: ignore[attr-defined]
            return "loaded"

    receiver.crossing.__dict__["engine"] = Engine()
    step = named(load_steps(receiver))["load:one"]
    assert step.ready() == "it is not loaded"
    step.action()
    assert asked == ["look one", "load:one one"]
    assert receiver.project.notes["load:one"] == "loaded"
