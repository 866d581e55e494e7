"""Manifests and indexes: parsed for what they name, kept as the bytes they are."""

import json
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.transfer.image import Manifest, reachable


def descriptor(content: bytes, media_type: str = media_types.OCI_LAYER_GZIP, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


def image(**more: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(b"{}", media_types.OCI_CONFIG),
        "layers": [descriptor(b"one"), descriptor(b"two")],
        **more,
    }


def index(*platforms: str) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            descriptor(text.encode(), media_types.OCI_MANIFEST, platform=Platform.parse(text).to_dict())
            for text in platforms
        ],
    }


def test_bytes_are_kept() -> None:
    raw = json.dumps(image(), indent=7).encode()
    manifest = Manifest.parse(raw)
    assert manifest.raw == raw
    assert manifest.descriptor.digest == Digest.of(raw)
    assert [str(child.digest) for child in manifest.children()] == [
        str(Digest.of(content)) for content in (b"{}", b"one", b"two")
    ]


@pytest.mark.parametrize("size", [None, -1, "7", True])
def test_the_size_of_an_entry_is_a_hint(size: object) -> None:
    data = index("linux/amd64", "linux/arm64")
    data["manifests"][1]["size"] = size
    found = Manifest.parse(json.dumps(data).encode())
    assert [each.size for each in found.manifests] == [len("linux/amd64"), 0]
    assert found.entries[1]["size"] == size


def test_lists_that_go_writes_as_null_are_empty() -> None:
    """What has only a config, and an index of nothing."""
    alone = Manifest.parse(json.dumps(image(layers=None)).encode())
    assert [str(each.digest) for each in alone.children()] == [str(Digest.of(b"{}"))]
    assert Manifest.parse(json.dumps({**index(), "manifests": None}).encode()).children() == ()


@pytest.mark.parametrize(
    ("data", "given", "expected"),
    [
        (image(mediaType=None), "", media_types.OCI_MANIFEST),
        (image(mediaType=None), media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ({**index(), "mediaType": None}, "", media_types.OCI_INDEX),
        (image(mediaType=media_types.DOCKER_MANIFEST), media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST),
    ],
    ids=["guessed image", "content type", "guessed index", "own type wins"],
)
def test_media_type(data: dict[str, Any], given: str, expected: str) -> None:
    assert Manifest.parse(json.dumps(data).encode(), media_type=given).media_type == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "media type ''"),
        (json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(), "schema 1"),
        (json.dumps(image(mediaType="text/plain")).encode(), "text/plain"),
        (json.dumps({**image(), "config": None}).encode(), "'config'"),
        (json.dumps({**image(), "layers": {}}).encode(), "'layers'"),
        (json.dumps({**image(), "layers": ["x"]}).encode(), "'layers'"),
        (json.dumps({**index(), "manifests": 1}).encode(), "'manifests'"),
    ],
)
def test_refuses(raw: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Manifest.parse(raw)


def test_what_is_reachable_has_its_own_size() -> None:
    raw = json.dumps(image()).encode()
    listed = {**descriptor(raw, media_types.OCI_MANIFEST), "size": 7}
    top = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [listed]}).encode()
    held = {Digest.of(content): content for content in (raw, top)}
    root = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.of(top), size=0)
    found = {each.digest: each.size for each in reachable(root, lambda each: held[each.digest])}
    assert (found[Digest.of(raw)], found[Digest.of(top)]) == (len(raw), len(top))
