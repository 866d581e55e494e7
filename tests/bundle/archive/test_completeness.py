"""A list of checksums that agrees with itself, and not with what manifest.json promises."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.reader import open_bundle
from bundle.archive.verify import verify
from bundle.images.platform_archives import archives
from bundle.metadata.base import Base
from bundle.metadata.checksums import SUMS, hash_files, list_files, write_sums
from bundle.metadata.delta import Delta
from bundle.metadata.manifest import BundleManifest, Layout
from bundle.metadata.names import MANIFEST
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import reachable
from tests.fixtures.images.images import ARM64
from tests.fixtures.made.checked import API_BLOB, COMMON, OWN, SHARED_BLOB, base_with, flip, found, lines, packed
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, make_bundle, stored
from tests.fixtures.made.receipts import RECEIPT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


def relist(root: Path) -> None:
    """Make SHA256SUMS fit what is there."""
    write_sums(root / SUMS, hash_files(root, list_files(root)))


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        pytest.param(
            lambda r: (r / API_BLOB).unlink(), f"unlisted: {API_BLOB} (of image 'api'): expected a line", id="no blob"
        ),
        pytest.param(
            lambda r: flip(r / API_BLOB),
            f"damaged: {API_BLOB} (of image 'api'): expected sha256:{API_BLOB[-64:]}",
            id="blob",
        ),
        pytest.param(
            lambda r: flip(r / f"images/blobs/sha256/{CONTENT['api'].descriptor.digest.hex}"),
            "damaged: image 'api'",
            id="manifest of an image",
        ),
        pytest.param(
            lambda r: (r / "images/index.json").write_text('{"manifests": []}'),
            "team/api:1.0 in images/index.json (of image 'api')",
            id="index names nothing",
        ),
        pytest.param(
            lambda r: (r / "images/index.json").write_text("[]"), "unreadable: images/index.json", id="index is none"
        ),
        pytest.param(lambda r: (r / "images/oci-layout").unlink(), "unlisted: images/oci-layout", id="no oci-layout"),
        pytest.param(
            lambda r: (r / "charts/demo-0.3.0.tgz.prov").unlink(), "unlisted: charts/demo-0.3.0.tgz.prov", id="prov"
        ),
        pytest.param(
            lambda r: flip(r / "charts/demo-0.3.0.tgz"), "damaged: charts/demo-0.3.0.tgz (of chart", id="chart"
        ),
        pytest.param(
            lambda r: (r / "sbom/api.cdx.json").unlink(),
            "unlisted: sbom/api.cdx.json (of image 'api'): expected a line",
            id="sbom",
        ),
        pytest.param(lambda r: (r / MANIFEST).unlink(), "missing: manifest.json", id="no manifest"),
    ],
)
@pytest.mark.parametrize("form", ["directory", "archive"])
def test_a_list_that_hides_a_fault_is_found_out(
    root: Path, damage: Callable[[Path], object], finding: str, form: str
) -> None:
    damage(root)
    relist(root)
    path = packed(root) if form == "archive" else root
    assert any(finding in line for line in found(path)), found(path)


def point_at(root: Path, name: str, descriptor: Descriptor) -> None:
    """Make index.json name another manifest for an image."""
    path = root / "images/index.json"
    index = json.loads(path.read_bytes())
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"].endswith(f"/{name}:1.0"):
            entry |= {"digest": str(descriptor.digest), "size": descriptor.size}
    path.write_text(json.dumps(index))


def test_an_index_that_names_another_image(root: Path) -> None:
    expected, other = CONTENT["api"].descriptor, CONTENT["plain"].descriptor
    point_at(root, "api", other)
    relist(root)
    assert f"expected {expected.digest}, found {other.digest}" in found(root)[0]
    assert "(of image 'api')" in found(root)[0]


def test_a_blob_of_another_size_than_its_manifest_says(root: Path) -> None:
    size = (root / SHARED_BLOB).stat().st_size
    raw = CONTENT["api"].raw.replace(b'"size":%d' % size, b'"size":%d' % (size + 1), 1)
    changed = replace(CONTENT["api"].descriptor, digest=Digest.of(raw), size=len(raw))
    (root / f"images/blobs/sha256/{changed.digest.hex}").write_bytes(raw)
    point_at(root, "api", changed)
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    blobs = {blob: of + SHARED_BLOB.endswith(blob.hex) for blob, of in manifest.images[0].blobs.items()}
    images = (replace(manifest.images[0], digest=changed.digest, blobs=blobs), *manifest.images[1:])
    (root / MANIFEST).write_bytes(replace(manifest, images=images).encode())
    relist(root)
    lines = found(root)
    assert lines == [
        f"damaged: {SHARED_BLOB} (of image 'api', image 'docker'): expected {size + 1} bytes, found {size} bytes"
    ]


def test_an_image_archive_that_the_list_lacks(tmp_path: Path) -> None:
    root = make_bundle(tmp_path, "docker-archive")
    (root / "images/api.tar").unlink()
    relist(root)
    assert found(root) == ["unlisted: images/api.tar (of image 'api'): expected a line in SHA256SUMS"]


def test_the_archive_of_a_further_platform(tmp_path: Path) -> None:
    """Each is needed, and what is in none of them is missing."""
    root = make_bundle(tmp_path, "docker-archive")
    store = BlobStore(tmp_path / "store")
    multi = stored(store, "multi")
    made = {str(platform or ""): each for platform, each in archives(multi, store).items()}
    assert list(made) == ["", "linux/arm64/v8"]
    further = f"images/linux-arm64-v8/{multi.name}.tar"
    (root / further).parent.mkdir()
    for text, file in (("", f"images/{multi.name}.tar"), ("linux/arm64/v8", further)):
        (root / file).unlink(missing_ok=True)
        made[text].put(root / file)
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    images = tuple(
        replace(each, archives={ARM64: further}) if each.name == multi.name else each for each in manifest.images
    )
    (root / MANIFEST).write_bytes(replace(manifest, images=images).encode())
    relist(root)
    assert found(root) == []
    opened = open_bundle(root).image(next(each for each in images if each.name == multi.name))
    assert all(each.digest.matches(b"".join(opened.read(each, 0))) for each in reachable(multi.root, opened.manifest))
    (root / further).unlink()
    relist(root)
    assert found(root) == [f"unlisted: {further} (of image 'multi'): expected a line in SHA256SUMS"]
    (root / MANIFEST).write_bytes(manifest.encode())
    relist(root)
    (line,) = found(root)
    arm = CONTENT["multi"].images[0].descriptor.digest  # type: ignore[union-attr]
    assert line.startswith(f"damaged: image 'multi': found image 'multi' has no {arm} ")


@pytest.fixture(params=["oci", "docker-archive"])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture(params=["directory", "archive", "parts"])
def form(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    if request.param == "directory":
        return lambda root: root
    split = 5000 if request.param == "parts" else None
    return lambda root: pack(root, root.with_name("demo-1.2.tar"), epoch=0, split=split).parts[0]


def test_a_base_that_lost_a_blob(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    bundle = form(make_bundle(tmp_path, layout, base=base_with(COMMON, OWN)))
    later = base_with(OWN)
    assert lines(verify(bundle, base=later)) == [
        f"missing: {COMMON} (of image 'api', image 'docker'): expected 10.3 KB here or in {later.named}"
    ]


def test_the_receipt_of_another_bundle(tmp_path: Path) -> None:
    root = make_bundle(tmp_path, base=base_with(COMMON))
    other = Base.of_receipt(replace(RECEIPT, name="shop"))
    assert lines(verify(root, base=other)) == [
        f"missing: base: expected a receipt or manifest of 'demo', found {other.named}"
    ]


def test_a_full_bundle_needs_no_base(tmp_path: Path) -> None:
    assert verify(make_bundle(tmp_path), base=base_with(COMMON)).notes == ("a full bundle, which needs no base",)


def restate(root: Path, change: Callable[[BundleManifest], BundleManifest]) -> None:
    """Change manifest.json, and SHA256SUMS with it."""
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    (root / MANIFEST).write_bytes(change(manifest).encode())
    write_sums(root / SUMS, hash_files(root, list_files(root)))


def test_what_is_left_out_must_be_stated(tmp_path: Path, layout: Layout) -> None:
    """A layer that is not here, and that the manifest does not say is left out, is missing, whatever the base has."""
    base = base_with(COMMON, OWN)
    root = make_bundle(tmp_path, layout, base=base)
    restate(root, lambda m: replace(m, delta=Delta(base=base.named, blobs={OWN: (f"{PREFIX}/api",)})))
    found = lines(verify(root, base=base))
    assert found
    assert all(f"blobs/sha256/{COMMON.hex}" in line for line in found), found
    assert "(of image 'api'" in found[0]


def test_the_manifest_states_the_blobs_that_images_have(tmp_path: Path, layout: Layout) -> None:
    root = make_bundle(tmp_path, layout)
    restate(root, lambda m: replace(m, images=(replace(m.images[0], blobs={COMMON: 1}), *m.images[1:])))
    assert lines(verify(root)) == [
        "damaged: manifest.json (of the bundle): found other blobs of image 'api' than its own manifest names"
    ]
