import json
from pathlib import Path

import pytest

from bundle.errors import FormatError, IntegrityError, SourceError
from bundle.images.docker_archive import write_image
from bundle.images.layout import (
    LayoutImage,
    blob_name,
    docker_manifest_bytes,
    index_bytes,
    named_digest,
    place_image,
    write_index,
)
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import Manifest, reachable
from tests.fixtures.images.images import AMD64, ARM64, Image, Index, image, index, layer
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, stored


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


def put(store: BlobStore, content: Image | Index, name: str = "x") -> LayoutImage:
    for each in content.images if isinstance(content, Index) else (content,):
        for data in (*each.blobs.values(), each.raw):
            store.put(data)
    store.put(content.raw)
    return LayoutImage(name=name, reference=Reference.parse(f"{PREFIX}/{name}:1"), root=content.descriptor)


def as_json(store: BlobStore, images: list[LayoutImage]) -> list[dict[str, object]]:
    def read(descriptor: Descriptor) -> bytes:
        return store.get(descriptor.digest) or b""

    value: list[dict[str, object]] = json.loads(docker_manifest_bytes(images, read))
    return value


def test_the_layout_holds_each_blob_once_and_nothing_else(store: BlobStore, tmp_path: Path) -> None:
    images = [stored(store, name) for name in CONTENT]
    placed = [descriptor for each in images for descriptor in place_image(tmp_path / "images", each, store)]
    write_index(tmp_path / "images", images)
    files = {path.relative_to(tmp_path / "images").as_posix() for path in (tmp_path / "images").rglob("*")}
    blobs = {blob_name(descriptor.digest) for descriptor in placed}
    assert files == blobs | {"blobs", "blobs/sha256", "oci-layout", "index.json", "manifest.json"}
    assert len(placed) > len(blobs)  # the shared layer
    for descriptor in placed:
        path = tmp_path / "images" / blob_name(descriptor.digest)
        assert Digest.of(path.read_bytes()) == descriptor.digest
        assert path.samefile(store.path(descriptor.digest))


def test_the_index_keeps_media_types_and_names_images_in_full(store: BlobStore) -> None:
    images = [stored(store, name) for name in CONTENT]
    data = json.loads(index_bytes(images))
    assert {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["mediaType"] for entry in data["manifests"]
    } == {
        f"{PREFIX}/api:1.0": media_types.OCI_MANIFEST,
        f"{PREFIX}/docker:1.0": media_types.DOCKER_MANIFEST,
        f"{PREFIX}/multi:1.0": media_types.OCI_INDEX,
        f"{PREFIX}/plain:1.0": media_types.OCI_MANIFEST,
    }
    assert all(
        entry["annotations"]["io.containerd.image.name"] == entry["annotations"]["org.opencontainers.image.ref.name"]
        for entry in data["manifests"]
    )
    assert index_bytes(list(reversed(images))) == index_bytes(images)


def test_docker_sees_one_entry_with_all_names_of_an_image(store: BlobStore) -> None:
    one, other = put(store, CONTENT["api"], "b"), put(store, CONTENT["api"], "a")
    entries = as_json(store, [one, other])
    assert [entry["RepoTags"] for entry in entries] == [[f"{PREFIX}/a:1", f"{PREFIX}/b:1"]]


RISCV = Platform(os="linux", architecture="riscv64")
UNKNOWN = Platform(os="unknown", architecture="unknown")


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        pytest.param([ARM64, AMD64], AMD64, id="linux/amd64"),
        pytest.param([RISCV, ARM64], RISCV, id="else the first"),
        pytest.param([UNKNOWN, ARM64], ARM64, id="no attestation"),
    ],
)
def test_docker_sees_one_platform_of_an_index(store: BlobStore, platforms: list[Platform], chosen: Platform) -> None:
    images = {each: image(layer(str(each), 10), platform=each) for each in platforms}
    entries = as_json(store, [put(store, index(*images.values()))])
    config = Manifest.parse(images[chosen].raw).config.digest
    assert [entry["Config"] for entry in entries] == [blob_name(config)]


def test_docker_is_not_shown_what_is_no_image(store: BlobStore) -> None:
    config = Descriptor(media_type=media_types.HELM_CONFIG, digest=store.put(b"{}"), size=2)
    raw = json.dumps({"schemaVersion": 2, "config": config.to_dict(), "layers": []}).encode()
    root = Descriptor(media_type=media_types.OCI_MANIFEST, digest=store.put(raw), size=len(raw))
    chart = LayoutImage(name="chart", reference=Reference.parse(f"{PREFIX}/chart:1"), root=root)
    assert as_json(store, [chart, stored(store, "api")])[0]["RepoTags"] == [f"{PREFIX}/api:1.0"]
    assert len(as_json(store, [chart, stored(store, "api")])) == 1


def test_a_blob_that_the_cache_lost_is_told_with_its_image(store: BlobStore, tmp_path: Path) -> None:
    api = stored(store, "api")
    lost = Manifest.parse(CONTENT["api"].raw).layers[0]
    store.path(lost.digest).unlink()
    with pytest.raises(IntegrityError, match=f"image 'api': the cache has no good copy of {lost.digest}"):
        place_image(tmp_path / "images", api, store)
    with pytest.raises(IntegrityError, match="image 'api'"):
        write_image(tmp_path / "x.tar", api, store, epoch=0)
    store.path(api.root.digest).unlink()
    with pytest.raises(IntegrityError, match=str(api.root.digest)):
        place_image(tmp_path / "images", api, store)
    assert not (tmp_path / "x.tar").exists()


def test_a_damaged_manifest_in_the_layout_is_named(store: BlobStore, tmp_path: Path) -> None:
    api = stored(store, "api")
    place_image(tmp_path / "images", api, store)
    path = tmp_path / "images" / blob_name(api.root.digest)
    path.unlink()
    path.write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="is damaged: expected sha256"):
        write_index(tmp_path / "images", [api])
    assert not (tmp_path / "images/index.json").exists()


def test_indexes_nested_too_deep_are_refused(store: BlobStore) -> None:
    root = CONTENT["api"].descriptor
    store.put(CONTENT["api"].raw)
    for _ in range(20):
        raw = json.dumps(
            {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [root.to_dict()]}
        ).encode()
        root = Descriptor(media_type=media_types.OCI_INDEX, digest=store.put(raw), size=len(raw))
    with pytest.raises(FormatError, match="its indexes are nested more than 8 deep"):
        reachable(root, lambda descriptor: store.get(descriptor.digest) or b"")
    deep = LayoutImage(name="deep", reference=Reference.parse(f"{PREFIX}/deep:1"), root=root)
    with pytest.raises(SourceError, match="image 'deep': its indexes"):
        place_image(store.root / "x", deep, store)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_name_of_a_blob_tells_its_digest(algorithm: str) -> None:
    digest = Digest(algorithm=algorithm, hex="0a" * (32 if algorithm == "sha256" else 64))
    assert named_digest(blob_name(digest)) == digest


@pytest.mark.parametrize(
    "name",
    ["index.json", "blobs", "blobs/sha256", "blobs/sha256/x", "blobs/sha256:" + "0" * 64, "sha256/" + "0" * 64,
     "blobs/blobs/sha256/" + "0" * 64, "blobs/sha256/" + "0" * 64 + "/x", "blobs/sha256/" + "A" * 64],
)  # fmt: skip
def test_other_files_are_no_blobs(name: str) -> None:
    assert named_digest(name) is None
