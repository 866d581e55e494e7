"""Descriptors: the fields of the OCI image specification, read strictly."""

import pytest

from bundle.errors import FormatError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest

HEX = "ab" * 32


SHA = f"sha256:{HEX}"


def test_descriptor_round_trips() -> None:
    data = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": SHA,
        "size": 7,
        "annotations": {"a": "b"},
        "platform": {"architecture": "arm", "os": "linux", "variant": "v7"},
    }
    assert Descriptor.from_dict(data).to_dict() == data


def test_content_that_a_descriptor_carries() -> None:
    data = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": str(Digest.of(b"{}")),
        "size": 2,
        "data": "e30=",
    }
    found = Descriptor.from_dict(data)
    assert (found.data, found.to_dict()) == (b"{}", data)
    for wrong in ("e30K", "not base64!", 5, "", None):
        assert Descriptor.from_dict({**data, "data": wrong}).data == b""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "has no mediaType or no digest"),
        ({"mediaType": "x", "digest": 5, "size": 1}, "has no mediaType or no digest"),
        ({"mediaType": "x", "digest": SHA}, "size None"),
        ({"mediaType": "x", "digest": SHA, "size": -1}, "size -1"),
        ({"mediaType": "x", "digest": SHA, "size": True}, "size True"),
        ({"mediaType": "x", "digest": "sha256:../../etc", "size": 1}, "not a digest"),
    ],
)
def test_descriptor_refuses(data: dict[str, object], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Descriptor.from_dict(data)
