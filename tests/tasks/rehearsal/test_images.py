"""Whether a cluster could pull what the releases use, and whether all is inside as it left."""

import json
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import SourceError, StorageError
from tasks.rehearsal.images import compare_receipt, unpullable
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import cluster_of, receiving
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    """An installation whose images are in the registry already."""
    receiver = receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/rehearsal")
    for entry in receiver.carried.bundle.manifest.images:
        raw = receiver.carried.bundle.image(entry).manifest(entry.root)
        faulty.put_manifest(f"rehearsal/{entry.name}", "1.0", raw, entry.media_type)
    return receiver


def looked_at(receiver: Receiver, image: str | None = None) -> tuple[int, list[str]]:
    """What stands in the way of release app, rendered to a pod of this image."""
    (release, *_) = receiver.carried.spec.install.releases
    if image is not None:
        pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": image}]}}
        cluster_of(receiver)[1].rendered["app"] = json.dumps(pod)
    site = receiver.options.site
    assert site
    return unpullable(receiver, release, site)


def test_what_the_values_name_can_be_pulled(receiver: Receiver) -> None:
    assert looked_at(receiver) == (1, [])


def test_a_name_below_the_specs_own_prefix_is_the_throwaway_registrys(receiver: Receiver) -> None:
    assert looked_at(receiver, "registry.example.com/team/two:1.0") == (1, [])


def test_an_image_from_outside(receiver: Receiver) -> None:
    count, (told,) = looked_at(receiver, "quay.io/other/app:1")
    assert count == 1
    assert told.startswith("release 'app', Pod/p, ")
    assert "image 'quay.io/other/app:1' is not in the bundle's registry: nodes inside can't pull it\nnext: " in told


def test_one_that_is_not_there(receiver: Receiver) -> None:
    _, (told,) = looked_at(receiver, "registry.example.com/team/three:1.0")
    assert "image 'registry.example.com/team/three:1.0' can't be pulled: " in told
    assert told.endswith("next: is its name and tag that of an image of the bundle?")


def test_what_is_no_reference(receiver: Receiver) -> None:
    _, (told,) = looked_at(receiver, "Registry/UPPER")
    assert "image 'Registry/UPPER' is no image reference: " in told


def test_nothing_that_uses_an_image(receiver: Receiver) -> None:
    cluster_of(receiver)[1].rendered["app"] = "kind: ConfigMap\n"
    assert looked_at(receiver) == (0, [])


def receipt(place: Path, receiver: Receiver, **changes: str) -> Path:
    images = [{"name": each.name, "digest": str(each.digest)} for each in receiver.carried.bundle.manifest.images]
    told: list[dict[str, Any]] = [{**each, "digest": changes.get(each["name"], each["digest"])} for each in images]
    (place / "receipt.json").write_text(json.dumps({"images": told}))
    return place / "receipt.json"


def test_all_are_inside_as_they_left(receiver: Receiver, tmp_path: Path) -> None:
    arrived, failures = compare_receipt(receiver, receipt(tmp_path, receiver))
    assert failures == []
    one, two = receiver.carried.bundle.manifest.images
    assert arrived == [
        f"image one: {one.digest}, the same on both sides",
        f"image two: {two.digest}, the same on both sides",
    ]


def test_a_receipt_that_tells_another_digest(receiver: Receiver, tmp_path: Path) -> None:
    arrived, (told,) = compare_receipt(receiver, receipt(tmp_path, receiver, one="sha256:1"))
    assert len(arrived) == 1
    assert told.startswith("image 'one' is not inside as it left: the receipt sha256:1, the registry sha256:")


def test_a_registry_that_has_it_not(receiver: Receiver, tmp_path: Path, faulty: FaultyRegistry) -> None:
    for key in [key for key in faulty.manifests if key[0] == "rehearsal/two"]:
        del faulty.manifests[key]
    arrived, (told,) = compare_receipt(receiver, receipt(tmp_path, receiver))
    assert len(arrived) == 1
    assert "image 'two' is not inside as it left: " in told
    assert ", the registry None, expected sha256:" in told


def test_what_can_not_be_looked_at_is_no_verdict(receiver: Receiver, tmp_path: Path, faulty: FaultyRegistry) -> None:
    with pytest.raises(StorageError, match="read the receipt"):
        compare_receipt(receiver, tmp_path / "receipt.json")
    faulty.plan("", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    with pytest.raises(SourceError):
        compare_receipt(receiver, receipt(tmp_path, receiver))
