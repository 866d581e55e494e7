"""An index of several of an image's platforms."""

import json
from dataclasses import replace

import pytest

from bundle.errors import SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.platform import Platform
from bundle.transfer.fetch import pin_image
from bundle.transfer.image import Manifest
from bundle.transfer.subset import SubsetSource
from tests.fixtures.images.fake_images import AMD64, FakeSource

ARM64 = Platform(os="linux", architecture="arm64")
BOTH = (AMD64, ARM64)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


def index(source: FakeSource, *children: Descriptor) -> Descriptor:
    """An index whose entries are these descriptors, as they are."""
    entries = [child.to_dict() for child in children]
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    source.root = source.put(json.dumps(data).encode(), media_types.OCI_INDEX)
    return source.root


def at(descriptor: Descriptor, platform: str) -> Descriptor:
    return replace(descriptor, platform=Platform.parse(platform))


def subset(source: FakeSource, *platforms: Platform) -> SubsetSource:
    return SubsetSource(source, platforms or BOTH, subject="image 'app'")  # type: ignore[arg-type]


def test_an_index_of_just_these(source: FakeSource) -> None:
    amd, arm = source.image(b"a"), source.image(b"b", platform=ARM64)
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(arm.digest)}
    other = source.image(b"c", platform=Platform(os="linux", architecture="s390x"))
    attests = replace(at(other, "unknown/unknown"), annotations=about)
    top = index(source, at(other, "linux/s390x"), at(arm, "linux/arm64/v8"), attests, at(amd, "linux/amd64"))
    made = subset(source)
    manifest = Manifest.parse(made.manifest(made.resolve()))
    assert [each.digest for each in manifest.manifests] == [amd.digest, arm.digest, other.digest]
    assert [str(each.platform) for each in manifest.manifests] == ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]
    assert made.top == top
    assert subset(source).resolve() == made.resolve()
    assert pin_image(made, None, subject="image 'app'").manifests[-1] == made.resolve().digest


def test_entries_keep_what_the_index_says_of_them(source: FakeSource) -> None:
    amd, arm = source.image(b"a"), source.image(b"b", platform=ARM64)
    stated = [
        {**amd.to_dict(), "size": 1, "platform": {**AMD64.to_dict(), "os.features": ["x"]}, "annotations": {"k": "v"}},
        arm.to_dict(),
    ]
    data = {"mediaType": media_types.OCI_INDEX, "manifests": stated, "annotations": {"of": "all"}}
    source.root = source.put(json.dumps({"schemaVersion": 2, **data}).encode(), media_types.OCI_INDEX)
    made = subset(source)
    raw = json.loads(made.manifest(made.resolve()))
    assert raw["manifests"] == [{**stated[0], "size": amd.size}, {**stated[1], "platform": ARM64.to_dict()}]
    assert raw["annotations"] == {"of": "all"}


def test_a_platform_that_is_not_there(source: FakeSource) -> None:
    index(source, at(source.image(b"a"), "linux/amd64"))
    with pytest.raises(SourceError, match="no image for platform linux/arm64; the index offers: linux/amd64"):
        subset(source).resolve()
    source.image(b"a")
    with pytest.raises(SourceError, match="the image is for linux/amd64, expected linux/arm64"):
        subset(source).resolve()


def test_a_chart_is_taken_as_it_is(source: FakeSource) -> None:
    root = source.image(b"a", config_type=media_types.HELM_CONFIG)
    assert subset(source).resolve() == root
