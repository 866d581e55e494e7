"""What images share is counted once."""

from pathlib import Path

import pytest

from bundle.archive.reader import open_bundle
from bundle.metadata.manifest import Layout
from bundle.report._sharing import left_out, shares
from tests.fixtures.made.made_bundle import CONTENT, SHARED, blobs_of, make_bundle


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_what_images_share_is_counted_once(tmp_path: Path, layout: Layout) -> None:
    manifest = open_bundle(make_bundle(tmp_path, layout)).manifest
    found = shares(manifest)
    shared = [share for share in found if share.is_shared]
    assert [(share.images, share.size) for share in shared] == [(("api", "docker"), len(SHARED.data))]
    blobs = {digest: size for name in CONTENT for digest, size in blobs_of(name).items()}
    assert sum(share.size for share in found) == sum(blobs.values())
    assert sum(share.blobs for share in found) == len(blobs)
    assert left_out(manifest) == {}
