"""Which manifests of an image have packages, of which platform, and what their layers tell."""

import json
from pathlib import Path

import pytest

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.sbom.image_contents import attesting, images_of, platform_of, read_layers
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest
from tests.fixtures.images.images import AMD64, ARM64, Image, image, index
from tests.fixtures.images.layers import layer_of, no_zstd

DPKG = {"var/lib/dpkg/status": "Package: a\nVersion: 1\n"}
AMD, ARM = image(layer_of(DPKG), platform=AMD64), image(layer_of({}), platform=ARM64)
ATTESTS = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": str(AMD.descriptor.digest),
}


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "cache")
    for each in (AMD, ARM):
        for data in (*each.blobs.values(), each.raw):
            store.put(data)
    return store


def listed(store: BlobStore, attestation: Image) -> Descriptor:
    """The index of both, as BuildKit makes it: with a manifest that attests to one of them."""
    store.put(attestation.raw)
    data = json.loads(index(ARM, AMD).raw)
    about = {**attestation.descriptor.to_dict(), "annotations": ATTESTS}
    data["manifests"].append({**about, "platform": {"os": "unknown", "architecture": "unknown"}})
    raw = json.dumps(data).encode()
    return Descriptor(media_type=media_types.OCI_INDEX, digest=store.put(raw), size=len(raw))


def parsed(made: Image) -> Manifest:
    return Manifest.parse(made.raw)


def test_an_index_has_those_of_its_platforms_in_its_order(store: BlobStore) -> None:
    attestation = image(layer_of({"sbom": "{}"}))
    root = listed(store, attestation)
    assert [each.digest for each in images_of(store, root)] == [ARM.descriptor.digest, AMD.descriptor.digest]
    assert [each.digest for each in attesting(store, root, AMD.descriptor.digest)] == [attestation.descriptor.digest]
    assert list(attesting(store, root, ARM.descriptor.digest)) == []


def test_a_single_manifest_is_itself(store: BlobStore) -> None:
    assert [each.digest for each in images_of(store, AMD.descriptor)] == [AMD.descriptor.digest]
    assert list(attesting(store, AMD.descriptor, AMD.descriptor.digest)) == []


def test_what_is_not_there_is_none(store: BlobStore) -> None:
    gone = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.of(b"gone"), size=1)
    assert list(images_of(store, gone)) == []
    assert list(attesting(store, gone, AMD.descriptor.digest)) == []


def test_platforms_are_those_of_the_configs(store: BlobStore) -> None:
    assert [platform_of(store, parsed(each)) for each in (AMD, ARM)] == ["linux/amd64", "linux/arm64/v8"]
    store.path(parsed(AMD).config.digest).unlink()
    assert platform_of(store, parsed(AMD)) == ""


def test_packages_of_layers(store: BlobStore) -> None:
    assert [each.purl for each in read_layers(store, parsed(AMD), open_zstd=no_zstd).packages] == ["pkg:deb/debian/a@1"]
    (layer,) = parsed(AMD).layers
    store.path(layer.digest).unlink()
    assert read_layers(store, parsed(AMD), open_zstd=no_zstd).not_read == (
        f"layer 1 ({layer.digest}): its bytes are not here",
    )


@pytest.mark.parametrize(
    ("member", "kind", "told"),
    [
        ("config", media_types.HELM_CONFIG, f"but an artifact of type {media_types.HELM_CONFIG}"),
        ("layers", "text/plain", "it is no tar, but text/plain"),
    ],
)
def test_what_has_no_layers_of_files_says_what_it_is(store: BlobStore, member: str, kind: str, told: str) -> None:
    data = json.loads(AMD.raw)
    (data[member] if member == "config" else data[member][0])["mediaType"] = kind
    inventory = read_layers(store, Manifest.parse(json.dumps(data).encode()), open_zstd=no_zstd)
    assert inventory.packages == ()
    assert any(each.endswith(told) for each in inventory.not_read), inventory.not_read
