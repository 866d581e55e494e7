"""Which manifest of an index is the one of a platform, where fields are left out that the specification leaves open."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bundle.errors import SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.platform import Platform
from bundle.transfer.fetch import ResolvedImage, pin_image
from tests.fixtures.images.fake_images import AMD64, FakeSource

ARM64 = Platform(os="linux", architecture="arm64")
NONE = Platform(os="", architecture="")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


def pin(source: FakeSource, wanted: Platform = AMD64) -> ResolvedImage:
    return pin_image(source, wanted, subject="image 'app'")


def index(source: FakeSource, *children: Descriptor, **more: Any) -> Descriptor:
    """An index whose entries are these descriptors, as they are."""
    entries = [{**child.to_dict(), **more} for child in children]
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    source.root = source.put(json.dumps(data).encode(), media_types.OCI_INDEX)
    return source.root


def at(descriptor: Descriptor, platform: str) -> Descriptor:
    return replace(descriptor, platform=Platform.parse(platform))


def test_the_one_that_states_the_platform(source: FakeSource) -> None:
    amd, arm = source.image(b"a"), source.image(b"b", platform=ARM64)
    index(source, at(amd, "linux/amd64"), at(arm, "linux/arm64/v8"), at(arm, "unknown/unknown"))
    assert pin(source, ARM64).root == arm


def test_what_there_is_is_said(source: FakeSource) -> None:
    amd = source.image(b"a")
    index(source, at(amd, "linux/amd64"), at(amd, "linux/arm64/v8"), at(amd, "unknown/unknown"))
    with pytest.raises(SourceError, match=r"linux/s390x; the index offers: linux/amd64, linux/arm64/v8\n"):
        pin(source, Platform.parse("linux/s390x"))


@pytest.mark.parametrize("nested", [False, True], ids=["listed", "in an index in the index"])
@pytest.mark.parametrize("others", [False, True], ids=["alone", "among others"])
def test_an_entry_without_a_platform_is_what_its_config_says(source: FakeSource, nested: bool, others: bool) -> None:
    amd, arm = source.image(b"a"), source.image(b"b", platform=ARM64)
    top = index(source, *((arm, amd) if others else (amd,)))
    if nested:
        index(source, top)
    assert pin(source).root == amd
    assert pin(source).notes == ()


def test_an_entry_that_says_it_goes_first(source: FakeSource) -> None:
    silent, stated = source.image(b"a"), source.image(b"b")
    index(source, silent, at(stated, "linux/amd64"))
    assert pin(source).root == stated


@pytest.mark.parametrize("config", [NONE, Platform(os="", architecture="amd64")], ids=["nothing", "no os"])
def test_a_config_that_says_less(source: FakeSource, config: Platform) -> None:
    root = source.image(b"a", platform=config)
    assert pin(source).root == root
    index(source, root)
    assert pin(source).root == root


def test_a_null_is_no_os(source: FakeSource) -> None:
    config = source.put(b'{"os": null, "architecture": "amd64", "variant": 7}', media_types.OCI_CONFIG)
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config.to_dict(), "layers": []}
    source.root = source.put(json.dumps(data).encode(), media_types.OCI_MANIFEST)
    assert pin(source).root == source.root


def test_a_part_of_a_platform_contradicts_nothing(source: FakeSource) -> None:
    amd, arm = source.image(b"a"), source.image(b"b", platform=ARM64)
    entries = [{**amd.to_dict(), "platform": {"architecture": "amd64"}}, {**arm.to_dict(), "platform": {}}]
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    source.root = source.put(json.dumps(data).encode(), media_types.OCI_INDEX)
    assert pin(source).root == amd
    assert pin(source, ARM64).root == arm


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", 1),
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", 1),
        (["linux/arm"], "linux/arm/v6", 0),
        (["linux/amd64", "linux/amd64/v3"], "linux/amd64", 0),
        (["linux/amd64/v3", "linux/amd64/v2"], "linux/amd64/v4", 0),
        (["linux/arm64"], "linux/arm64/v8", 0),
    ],
)
def test_variants(source: FakeSource, offered: list[str], wanted: str, chosen: int) -> None:
    images = [source.image(text.encode(), platform=NONE) for text in offered]
    index(source, *(at(image, text) for image, text in zip(images, offered, strict=True)))
    assert pin(source, Platform.parse(wanted)).root == images[chosen]


def test_a_later_variant_is_not_taken(source: FakeSource) -> None:
    index(source, at(source.image(b"a"), "linux/amd64/v3"))
    with pytest.raises(SourceError, match=r"no image for platform linux/amd64; the index offers: linux/amd64/v3"):
        pin(source)


def test_the_index_says_the_variant(source: FakeSource) -> None:
    v6 = source.image(b"a", platform=Platform(os="linux", architecture="arm"))
    index(source, at(v6, "linux/arm/v6"))
    assert pin(source, Platform.parse("linux/arm/v6")).root == v6


def test_several_that_do_are_listed_with_what_tells_them_apart(source: FakeSource) -> None:
    windows = Platform(os="windows", architecture="amd64")
    first, second = source.image(b"a", platform=windows), source.image(b"b", platform=windows)
    data = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {
                **each.to_dict(),
                "platform": {**windows.to_dict(), "os.version": version},
                "annotations": {"for": version},
            }
            for each, version in ((first, "10.0.17763"), (second, "10.0.20348"))
        ],
    }
    source.root = source.put(json.dumps(data).encode(), media_types.OCI_INDEX)
    found = pin(source, windows)
    assert found.root == first
    (note,) = found.notes
    assert f"{first.digest} (windows/amd64, os.version 10.0.17763, for 10.0.17763)" in note
    assert f"{second.digest} (windows/amd64, os.version 10.0.20348, for 10.0.20348)" in note
    source.root = second  # as who names it by its digest gets it
    assert pin(source, windows).root == second


def test_where_nothing_tells_one_is_to_be_named(source: FakeSource) -> None:
    made = [source.image(text, config_type=media_types.HELM_CONFIG) for text in (b"a", b"b")]
    index(source, *made)
    with pytest.raises(SourceError, match="nothing says which manifest of the index is for linux/amd64") as caught:
        pin(source)
    assert all(str(each.digest) in caught.value.what for each in made)
    assert "by its digest" in caught.value.hint
    index(source, made[0])
    assert pin(source).root == made[0]


def test_advice_on_the_platform_is_accepted(source: FakeSource) -> None:
    source.image(b"a", platform=Platform(os="", architecture="aarch64"))
    with pytest.raises(SourceError, match="the image is for linux/arm64, expected linux/amd64") as caught:
        pin(source)
    advised = caught.value.hint.partition("platform to ")[2].partition(",")[0]
    assert pin(source, Platform.parse(advised)).root == source.root


def test_an_index_of_nothing(source: FakeSource) -> None:
    index(source)
    with pytest.raises(SourceError, match="the index offers: none") as caught:
        pin(source)
    assert caught.value.hint == "set `platform: all` to take it as it is"
    assert pin_image(source, None, subject="image 'app'").root == source.root


def test_attestations_are_no_candidates(source: FakeSource) -> None:
    amd, other = source.image(b"a"), source.image(b"b")
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(amd.digest)}
    index(source, replace(other, annotations=about), amd)
    assert pin(source).root == amd
    assert pin(source).attestation == other.digest
