"""Images from a source into the blob cache."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import IntegrityError, SourceError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.storage.blob_store import BlobStore
from bundle.transfer.fetch import fetch_image, pin_image, stored_image
from bundle.transfer.transfers import Transfers
from tests.fixtures.images.fake_images import AMD64, FakeSource

ARM64 = Platform(os="linux", architecture="arm64")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


def fetch(source: FakeSource, root: Descriptor, store: BlobStore) -> tuple[list[Digest], list[Digest]]:
    fetched = fetch_image(source, root, store, subject="app", meter=SilentMeter(), transfers=Transfers(2))
    assert fetched == stored_image(store, root.digest, root.media_type)
    for part in (*fetched.manifests, *fetched.blobs):
        assert store.path(part.digest).read_bytes() == source.content[part.digest]
    assert fetched.size == sum(part.size for part in (*fetched.manifests, *fetched.blobs))
    assert fetched.root == fetched.manifests[-1]
    return [each.digest for each in fetched.manifests], [each.digest for each in fetched.blobs]


@pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
def test_an_image(source: FakeSource, store: BlobStore, known: bool) -> None:
    root = source.image(b"one", b"two", b"one")
    manifests, blobs = fetch(source, root if known else replace(root, size=0), store)
    assert manifests == [root.digest]
    assert blobs == [Digest.of(json.dumps(AMD64.to_dict()).encode()), Digest.of(b"one"), Digest.of(b"two")]


def test_an_index_with_everything_below_it(source: FakeSource, store: BlobStore) -> None:
    children = (source.image(b"shared", b"a"), AMD64), (source.image(b"shared", b"b", platform=ARM64), ARM64)
    inner = source.index(children[1])
    root = source.index(children[0], (inner, ARM64))
    manifests, blobs = fetch(source, root, store)
    assert manifests == [children[0][0].digest, children[1][0].digest, inner.digest, root.digest]
    assert len(blobs) == 5
    assert source.asked.count(("blob", Digest.of(b"shared"))) == 1


def test_a_second_time_asks_nothing(source: FakeSource, store: BlobStore) -> None:
    root = source.image(b"one")
    fetch(source, root, store)
    source.asked.clear()
    fetch(source, root, store)
    assert source.asked == []


def test_what_is_shared_or_was_lost(source: FakeSource, store: BlobStore) -> None:
    fetch(source, source.image(b"base", b"one"), store)
    root = source.image(b"base", b"two")
    source.asked.clear()
    fetch(source, root, store)
    assert [digest for kind, digest in source.asked if kind == "blob"] == [Digest.of(b"two")]
    store.path(Digest.of(b"base")).unlink()
    source.asked.clear()
    fetch(source, root, store)
    assert source.asked == [("blob", Digest.of(b"base"))]


def test_a_manifest_is_kept_only_with_all_it_names(source: FakeSource, store: BlobStore) -> None:
    root = source.image(b"one", b"two")
    del source.content[Digest.of(b"two")]
    with pytest.raises(SourceError, match="no blob"):
        fetch(source, root, store)
    assert store.get(root.digest) is None
    assert stored_image(store, root.digest, root.media_type) is None


def test_an_index_with_something_else_in_it(source: FakeSource, store: BlobStore) -> None:
    other = source.put(b'{"some": "thing"}', "application/x-other")
    root = source.index((other, AMD64))
    with pytest.raises(SourceError, match=rf"^app: .*application/x-other.*{other.digest}"):
        fetch(source, root, store)


def test_content_that_a_descriptor_carries_is_not_asked_for(source: FakeSource, store: BlobStore) -> None:
    """The empty config of an artifact, which need not lie in its repository."""
    empty = Descriptor(media_type=media_types.OCI_EMPTY, digest=Digest.of(b"{}"), size=2, data=b"{}")
    layer = source.put(b"payload", "application/x-payload")
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": empty.to_dict()}
    root = source.put(json.dumps({**data, "layers": [layer.to_dict()]}).encode(), media_types.OCI_MANIFEST)
    fetch_image(source, root, store, subject="app", meter=SilentMeter(), transfers=Transfers(2))
    assert store.get(empty.digest) == b"{}"


# Pinning.


@pytest.mark.parametrize("entries", [None, []])
def test_pin_of_an_index_of_nothing(source: FakeSource, entries: object) -> None:
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()
    source.root = source.put(raw, media_types.OCI_INDEX)
    with pytest.raises(SourceError, match="no image for platform linux/amd64; the index offers: none"):
        pin_image(source, AMD64, subject="image 'app'")


def pin(source: FakeSource, platform: Platform | None) -> tuple[Descriptor, int]:
    found = pin_image(source, platform, subject="image 'app'")
    return found.root, found.size


def test_pin_one_platform_of_an_index(source: FakeSource) -> None:
    amd, arm = source.image(b"a" * 100), source.image(b"b" * 1000, platform=ARM64)
    source.index((amd, AMD64), (arm, ARM64))
    assert pin(source, ARM64) == (arm, 1000 + len(json.dumps(ARM64.to_dict())))


def test_pin_all_platforms(source: FakeSource) -> None:
    amd, arm = source.image(b"a" * 100), source.image(b"b" * 1000, platform=ARM64)
    root = source.index((amd, AMD64), (arm, ARM64))
    configs = sum(len(json.dumps(platform.to_dict())) for platform in (AMD64, ARM64))
    assert pin(source, None) == (root, 1100 + configs)


@pytest.mark.parametrize("platform", [AMD64, None])
def test_pin_a_single_image(source: FakeSource, platform: Platform | None) -> None:
    root = source.image(b"a")
    assert pin(source, platform)[0] == root


def test_pin_counts_shared_blobs_once(source: FakeSource) -> None:
    source.image(b"same", b"same", b"same")
    assert pin(source, AMD64)[1] == 4 + len(json.dumps(AMD64.to_dict()))


def test_a_single_image_of_another_platform(source: FakeSource) -> None:
    source.image(b"a", platform=ARM64)
    with pytest.raises(SourceError, match=r"^image 'app': the image is for linux/arm64, expected linux/amd64"):
        pin(source, AMD64)


def test_a_mislabelled_index(source: FakeSource) -> None:
    source.index((source.image(b"a", platform=ARM64), AMD64))
    with pytest.raises(SourceError, match=r"is for linux/arm64, expected linux/amd64"):
        pin(source, AMD64)


def test_an_index_without_the_platform(source: FakeSource) -> None:
    source.index((source.image(b"a"), AMD64))
    with pytest.raises(SourceError, match=r"^image 'app': no image for platform linux/arm64.*offers: linux/amd64"):
        pin(source, ARM64)


def test_a_chart_has_no_platform(source: FakeSource) -> None:
    root = source.image(b"a", platform=ARM64, config_type=media_types.HELM_CONFIG)
    assert pin(source, AMD64)[0] == root


def test_a_config_without_a_platform(source: FakeSource) -> None:
    root = source.image(b"a", platform=Platform(os="", architecture=""))
    assert pin(source, AMD64)[0] == root


def test_a_corrupt_config(source: FakeSource) -> None:
    source.image(b"a")
    digest = Digest.of(json.dumps(AMD64.to_dict()).encode())
    source.content[digest] = b"other"
    with pytest.raises(IntegrityError, match=rf"^image 'app': its config .*{digest}"):
        pin(source, AMD64)
