"""An index as archives for engines, which take one platform of each: every one whole for its platform."""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bundle.images.layout import LayoutImage, blob_name
from bundle.images.layout_source import LayoutSource
from bundle.images.platform_archives import archives
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.storage.tree import Joined, index_tar
from bundle.transfer.image import reachable
from bundle.transfer.platforms import ATTESTS_TO
from tests.fixtures.images.images import AMD64, Image, image, layer

ARM64, ARMV7 = Platform.parse("linux/arm64"), Platform.parse("linux/arm/v7")
SHARED = layer("shared", 100)
BUILT = {each: image(SHARED, layer(str(each), 100), platform=each) for each in (ARMV7, ARM64, AMD64)}
SIGNATURE = image(layer("signature", 10))
ATTESTATION = image(layer("provenance", 10))
NAME = Reference.parse("registry.example.com/team/app:1")


def put(store: BlobStore, *images: Image) -> None:
    for each in images:
        for data in (*each.blobs.values(), each.raw):
            store.put(data)


def listed(entries: list[dict[str, Any]], store: BlobStore) -> Descriptor:
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()
    return Descriptor(media_type=media_types.OCI_INDEX, digest=store.put(raw), size=len(raw))


def entry(made: Image, **more: Any) -> dict[str, Any]:
    return {**made.descriptor.to_dict(), "platform": made.platform.to_dict(), **more}


def names(path: Path) -> set[str]:
    with tarfile.open(path) as tar:
        return {each.name for each in tar if each.isfile()}


def blobs(*images: Image) -> set[str]:
    return {blob_name(digest) for each in images for digest in (*each.blobs, each.descriptor.digest)}


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    found = BlobStore(tmp_path / "cache")
    put(found, *BUILT.values(), SIGNATURE, ATTESTATION)
    return found


def written(store: BlobStore, made: LayoutImage, place: Path) -> Mapping[str, Path]:
    found = {}
    for platform, archive in archives(made, store).items():
        found[str(platform or "")] = path = place / f"{str(platform or 'first').replace('/', '-')}.tar"
        assert archive.put(path).size == path.stat().st_size
    return found


def test_one_archive_for_each_platform(store: BlobStore, tmp_path: Path) -> None:
    told = {"annotations": {ATTESTS_TO: str(BUILT[ARM64].descriptor.digest)}}
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"}}
    root = listed([*map(entry, BUILT.values()), entry(ATTESTATION, **told, **unknown)], store)
    made = LayoutImage(name="app", reference=NAME, root=root, attached={"sha256-x.sig": SIGNATURE.descriptor})
    paths = written(store, made, tmp_path)
    assert list(paths) == ["", "linux/arm/v7", "linux/arm64"]
    files = {"oci-layout", "index.json", "manifest.json", blob_name(root.digest)}
    assert names(paths[""]) == files | blobs(BUILT[AMD64], ATTESTATION, SIGNATURE)
    assert names(paths["linux/arm64"]) == files | blobs(BUILT[ARM64])
    assert names(paths["linux/arm/v7"]) == files | blobs(BUILT[ARMV7])
    for text, platform in (("", AMD64), ("linux/arm64", ARM64), ("linux/arm/v7", ARMV7)):
        with tarfile.open(paths[text]) as tar:
            stream = tar.extractfile("manifest.json")
            assert stream
            (docker,) = json.loads(stream.read())
        config = json.loads(BUILT[platform].raw)["config"]["digest"]
        assert docker["Config"] == blob_name(Digest.parse(config))
        assert docker["RepoTags"] == [str(NAME)]
        assert {docker["Config"], *docker["Layers"]} <= names(paths[text])
    together = LayoutSource(Joined([index_tar(each) for each in paths.values()]), str(NAME), "image 'app'")
    assert together.resolve().digest == root.digest
    content = reachable(together.resolve(), together.manifest)
    assert all(each.digest.matches(b"".join(together.read(each, 0))) for each in content)


def test_an_index_in_an_index(store: BlobStore, tmp_path: Path) -> None:
    """What the inner one leaves open, the entry for it says."""
    silent = {key: value for key, value in entry(BUILT[ARM64]).items() if key != "platform"}
    inner = listed([silent], store)
    root = listed([entry(BUILT[AMD64]), {**inner.to_dict(), "platform": ARM64.to_dict()}], store)
    paths = written(store, LayoutImage(name="app", reference=NAME, root=root), tmp_path)
    assert list(paths) == ["", "linux/arm64"]
    assert all({blob_name(root.digest), blob_name(inner.digest)} <= names(path) for path in paths.values())
    assert blobs(BUILT[ARM64]) <= names(paths["linux/arm64"])


@pytest.mark.parametrize("kind", ["single", "one platform", "twice the same", "untold", "artifacts only"])
def test_what_stays_in_one(store: BlobStore, tmp_path: Path, kind: str) -> None:
    unknown = {"os": "unknown", "architecture": "unknown"}
    entries = {
        "one platform": [entry(BUILT[ARM64])],
        "twice the same": [entry(BUILT[ARM64]), entry(SIGNATURE, platform=ARM64.to_dict())],
        "untold": [entry(BUILT[AMD64]), BUILT[ARM64].descriptor.to_dict()],
        "artifacts only": [entry(SIGNATURE, platform=unknown), entry(ATTESTATION, platform=unknown)],
    }
    root = listed(entries[kind], store) if kind in entries else BUILT[ARM64].descriptor
    (path,) = written(store, LayoutImage(name="app", reference=NAME, root=root), tmp_path).values()
    source = LayoutSource(index_tar(path), str(NAME), "image 'app'")
    assert all(each.digest.matches(b"".join(source.read(each, 0))) for each in reachable(root, source.manifest))


def test_a_delta_leaves_out_its_layers_of_each(store: BlobStore, tmp_path: Path) -> None:
    root = listed([entry(BUILT[AMD64]), entry(BUILT[ARM64])], store)
    inside = Digest.of(SHARED.data)
    found = archives(LayoutImage(name="app", reference=NAME, root=root), store, without={inside})
    for number, archive in enumerate(found.values()):
        archive.put(tmp_path / f"{number}.tar")
        assert blob_name(inside) not in names(tmp_path / f"{number}.tar")
