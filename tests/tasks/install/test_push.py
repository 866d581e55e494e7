"""What a registry inside refuses, and what then to do."""

from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.transfer.referrers import list_tag
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.made.cosign_objects import Artifact, new_key, simple, write_public
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
