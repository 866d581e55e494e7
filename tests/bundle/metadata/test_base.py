"""What a base tells, whichever file it is; what is none is refused in words."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, SourceError
from bundle.metadata.base import Base, read_base
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.receipt import ReceivedImage
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, manifest_of, stored
from tests.fixtures.made.receipts import RECEIPT

LAYER = Digest.of(b"layer")


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return manifest_of([stored(BlobStore(tmp_path), name) for name in CONTENT], "oci")


def test_a_receipt_tells_where_each_blob_is() -> None:
    other = ReceivedImage(
        name="web", reference=Reference.parse("registry.example.com/team/a:2"), digest=Digest.of(b"2"), blobs={LAYER: 5}
    )
    base = Base.decode(replace(RECEIPT, images=(*RECEIPT.images, other)).encode())
    assert base.blobs[LAYER] == ("registry.example.com/team/a", "registry.example.com/team/api")
    assert base.blobs[Digest.of(b"config")] == ("registry.example.com/team/api",)
    assert base.images == {"api": Digest.of(b"manifest"), "web": Digest.of(b"2")}
    assert str(base.named).startswith("the receipt of demo 1.2 (2026-03-01T08:00:00Z, id sha256:")


def test_a_manifest_alone_is_enough(manifest: BundleManifest) -> None:
    base = Base.decode(manifest.encode())
    assert base.named.kind == "manifest"
    assert base.named.id == manifest.id
    assert base.blobs.keys() == {digest for image in manifest.images for digest in image.blobs}
    layer = list(manifest.images[0].blobs)[1]
    assert base.blobs[layer] == (f"{PREFIX}/api", f"{PREFIX}/docker")


def test_the_fingerprint_is_of_what_is_used(manifest: BundleManifest) -> None:
    base = Base.of_receipt(RECEIPT)
    assert Base.of_receipt(replace(RECEIPT, releases=())).fingerprint == base.fingerprint
    assert Base.of_receipt(replace(RECEIPT, images=())).fingerprint != base.fingerprint
    assert Base.of_manifest(manifest).fingerprint != base.fingerprint


def test_another_bundles_receipt_is_refused() -> None:
    base = Base.of_receipt(RECEIPT)
    base.check_fits(name="demo", platform=Platform.parse("linux/amd64"))
    with pytest.raises(FormatError, match=r"it is the receipt of demo 1\.2 .*, but this bundle is 'shop'"):
        base.check_fits(name="shop", platform=base.platform)
    with pytest.raises(FormatError, match="for linux/amd64, but this bundle is for all: they share no layers"):
        base.check_fits(name="demo", platform=None)


def _with(**more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda data: {**data, **more}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(_with(format=9), "receipt.json has format 9", id="newer format"),
        pytest.param(
            lambda data: {"format": 1}, "neither a receipt.json nor a bundle's manifest.json", id="other JSON"
        ),
        pytest.param(
            lambda data: {"layout": "oci", "format": 1}, "manifest.json: 'name' is None", id="half a manifest"
        ),
        pytest.param(lambda data: [data], "is not a JSON object", id="a list"),
        pytest.param(
            lambda data: {**data, "bundle": {**data["bundle"], "version": "../../etc"}},
            "expected a version",
            id="path",
        ),
        pytest.param(
            lambda data: {**data, "images": [{**data["images"][0], "blobs": {"sha256:0": 1}}]},
            "not a digest",
            id="blob",
        ),
    ],
)
def test_what_is_no_base_is_refused(tmp_path: Path, change: Callable[[Any], Any], what: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(change(RECEIPT.to_dict())))
    with pytest.raises(FormatError, match=what):
        read_base(path)


def test_a_damaged_manifest_is_refused(tmp_path: Path, manifest: BundleManifest) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest.encode().replace(b'"version": "1.2"', b'"version": "1.3"'))
    with pytest.raises(FormatError, match=r"manifest\.json has id .*, but its content has"):
        read_base(path)


def test_a_lost_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        read_base(tmp_path / "receipt.json")
