"""Layers that a registry names addresses for."""

import pytest

from bundle.errors import SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from clients.registry.repository import RegistryRepository
from tests.fixtures.servers.faulty_registry import FaultyRegistry, cut, instead

LAYER = bytes(range(256)) * 1000


def foreign(*urls: str) -> Descriptor:
    return Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(LAYER), size=len(LAYER), urls=urls)


def read(app: RegistryRepository, layer: Descriptor, offset: int = 0) -> bytes:
    return b"".join(app.read(layer, offset))


def test_what_the_registry_has_comes_from_there(
    app: RegistryRepository, faulty: FaultyRegistry, other: FaultyRegistry
) -> None:
    faulty.put_blob(LAYER)
    assert read(app, foreign(f"{other.url}/v2/base/blobs/x")) == LAYER
    assert other.seen == []


@pytest.mark.parametrize("offset", [0, 1000])
def test_what_it_has_not_comes_from_the_first_address_that_has_it(
    app: RegistryRepository, other: FaultyRegistry, offset: int
) -> None:
    place = f"{other.url}/v2/base/blobs/{other.put_blob(LAYER)}"
    other.plan("GET", instead(404), cut(100_000))
    assert read(app, foreign(f"{other.url}/gone", place), offset) == LAYER[offset:]
    assert all("authorization" not in each.headers for each in other.seen)


def test_nobody_has_it(app: RegistryRepository, faulty: FaultyRegistry, other: FaultyRegistry) -> None:
    with pytest.raises(
        SourceError, match=f"{other.host} answered 404 .*; {faulty.host} does not hold this layer"
    ) as at:
        read(app, foreign(f"{other.url}/gone"))
    assert f"make sure that {other.host} can be reached" in at.value.hint


def test_a_descriptor_keeps_its_addresses() -> None:
    made = foreign("https://a.test/x")
    assert Descriptor.from_dict(made.to_dict()) == made
    assert "urls" not in Descriptor(media_type="x", digest=Digest.of(b""), size=0).to_dict()
