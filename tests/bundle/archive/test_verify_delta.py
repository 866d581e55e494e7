"""A delta is whole as far as it goes; with its base it is proven whole, or each missing blob is named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.verify import VerifyReport, verify
from bundle.metadata.base import Base
from bundle.metadata.checksums import SUMS, hash_files, list_files, write_sums
from bundle.metadata.delta import Delta
from bundle.metadata.manifest import BundleManifest, Layout
from bundle.metadata.names import MANIFEST
from bundle.oci.digest import Digest
from tests.bundle.metadata.test_receipt import RECEIPT
from tests.fixtures.made.images import Image
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, make_bundle

API = CONTENT["api"]
assert isinstance(API, Image)
SHARED, OWN = list(API.blobs)[1:]


def base_with(*digests: Digest) -> Base:
    """The receipt of an installation that left these blobs inside."""
    image = replace(RECEIPT.images[0], blobs={digest: len(API.blobs[digest]) for digest in digests})
    return Base.of_receipt(replace(RECEIPT, images=(image,)))


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


def test_a_delta_is_whole_as_far_as_it_goes(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    report = verify(form(make_bundle(tmp_path, layout, base=base_with(SHARED, OWN))))
    assert report.findings == ()
    told = "whole as far as it goes, a delta: it needs 2 blobs (20.5 KB), which the receipt of demo 1.2 "
    assert report.notes[0].startswith(told), report.notes
    assert "verify since=FILE" in report.notes[0]


def test_with_its_base_it_is_complete(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    base = base_with(SHARED, OWN)
    report = verify(form(make_bundle(tmp_path, layout, base=base)), base=base)
    assert report.findings == ()
    assert report.notes == (
        f"a delta, complete together with {base.named}, which has the 2 blobs (20.5 KB) that it leaves out",
    )


def test_a_base_that_lost_a_blob(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    bundle = form(make_bundle(tmp_path, layout, base=base_with(SHARED, OWN)))
    later = base_with(OWN)
    assert lines(verify(bundle, base=later)) == [
        f"missing: {SHARED} (of image 'api', image 'docker'): expected 10.3 KB here or in {later.named}"
    ]


def lines(report: VerifyReport) -> list[str]:
    return [str(finding) for finding in report.findings]


def test_the_receipt_of_another_bundle(tmp_path: Path) -> None:
    root = make_bundle(tmp_path, base=base_with(SHARED))
    other = Base.of_receipt(replace(RECEIPT, name="shop"))
    assert lines(verify(root, base=other)) == [
        f"missing: base: expected a receipt or manifest of 'demo', found {other.named}"
    ]


def test_a_full_bundle_needs_no_base(tmp_path: Path) -> None:
    assert verify(make_bundle(tmp_path), base=base_with(SHARED)).notes == ("a full bundle, which needs no base",)


def restate(root: Path, change: Callable[[BundleManifest], BundleManifest]) -> None:
    """Change manifest.json, and SHA256SUMS with it."""
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    (root / MANIFEST).write_bytes(change(manifest).encode())
    write_sums(root / SUMS, hash_files(root, list_files(root)))


def test_what_is_left_out_must_be_stated(tmp_path: Path, layout: Layout) -> None:
    """A layer that is not here, and that the manifest does not say is left out, is missing, whatever the base has."""
    base = base_with(SHARED, OWN)
    root = make_bundle(tmp_path, layout, base=base)
    restate(root, lambda m: replace(m, delta=Delta(base=base.named, blobs={OWN: (f"{PREFIX}/api",)})))
    found = lines(verify(root, base=base))
    assert found
    assert all(f"blobs/sha256/{SHARED.hex}" in line for line in found), found
    assert "(of image 'api'" in found[0]


def test_the_manifest_states_the_blobs_that_images_have(tmp_path: Path, layout: Layout) -> None:
    root = make_bundle(tmp_path, layout)
    restate(root, lambda m: replace(m, images=(replace(m.images[0], blobs={SHARED: 1}), *m.images[1:])))
    assert lines(verify(root)) == [
        "damaged: manifest.json (of the bundle): found other blobs of image 'api' than its own manifest names"
    ]
