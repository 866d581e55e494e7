"""The way of the images into the registry: each part is met when it is needed, and once."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.oci import media_types
from tasks.site.receiver import Receiver
from tasks.site.repositories import DirectDelivery
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


def test_without_an_engine_images_go_straight(receiver: Receiver) -> None:
    crossing = receiver.crossing
    assert isinstance(crossing.delivery, DirectDelivery)
    assert "engine" not in vars(crossing), "no Engine is looked for"
    assert crossing.destination is crossing.destination


def test_by_an_engine_they_go_by_it(carried_bundle: Path, tmp_path: Path) -> None:
    crossing = receiving(carried_bundle, tmp_path / "state", engine="docker").crossing
    assert crossing.delivery is crossing.engine


def test_a_full_bundle_leaves_nothing_out(receiver: Receiver) -> None:
    assert receiver.crossing.inside is None


def test_an_image_is_the_bundles(receiver: Receiver) -> None:
    for entry in receiver.carried.bundle.manifest.images:
        source = receiver.crossing.source(entry)
        assert source.resolve().digest == entry.digest
        assert entry.digest.matches(source.manifest(entry.root))


def test_what_stands_in_the_way_of_pushing_is_a_finding(
    carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry
) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    assert receiver.crossing.findings() == ()
    faulty.plan("POST", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    (finding, *_) = receiver.crossing.findings()
    assert finding.severity == "error"
    assert "403" in finding.what


@pytest.mark.parametrize(
    ("media_type", "asked"),
    [
        (media_types.OCI_MANIFEST, []),
        (media_types.OCI_INDEX, []),
        (media_types.DOCKER_MANIFEST, [media_types.DOCKER_MANIFEST]),
        (media_types.DOCKER_INDEX, [media_types.DOCKER_INDEX, media_types.DOCKER_MANIFEST]),
    ],
    ids=["OCI manifest", "OCI index", "Docker manifest", "Docker index"],
)
def test_a_registry_is_asked_whether_it_takes_dockers_manifests(
    carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry, media_type: str, asked: list[str]
) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")
    manifest = receiver.carried.bundle.manifest
    images = tuple(replace(each, media_type=media_type) for each in manifest.images)
    object.__setattr__(receiver.carried.bundle, "manifest", replace(manifest, images=images))
    faulty.plan("PUT /v2/team/", *[refusal(415, "MANIFEST_INVALID", "unsupported")] * OFTEN)
    findings = receiver.crossing.findings()
    assert [seen.headers["content-type"] for seen in faulty.requests("PUT ")] == asked
    assert len(findings) == len(asked)
    assert all(f"(415), as {len(images)} of the images have: " in found.what for found in findings)
    assert not faulty.manifests
