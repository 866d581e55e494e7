"""Lists of referrers in a registry: kept by its API, or by a tag."""

import json

import pytest

from bundle.errors import NetworkError, RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest
from bundle.transfer.referrers import list_bytes, list_tag
from clients.registry.referrers_tag import ReferrerLists
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.images.cosign_objects import Artifact, bundled, new_key, put, referring
from tests.fixtures.servers.faulty_registry import FaultyRegistry, cut, refusal

SUBJECT = "image 'app'"


KEY = new_key()


@pytest.fixture
def image(faulty: FaultyRegistry) -> Descriptor:
    """`team/app:1`."""
    return faulty.put_image("team/app", "1", b"layer")


@pytest.fixture
def sbom(image: Descriptor) -> Artifact:
    return referring(image.digest, "application/spdx+json")


@pytest.fixture
def lists(registries: Registries, faulty: FaultyRegistry) -> ReferrerLists:
    return ReferrerLists(Uploads(registries), Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)


def test_a_registry_with_the_api_keeps_its_lists(
    lists: ReferrerLists, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    faulty.referrers = 10
    put(faulty, sbom)
    assert lists.listed(image.digest) == {sbom.descriptor.digest}
    lists.add(image.digest, Manifest.parse(list_bytes([Manifest.parse(sbom.raw)])))
    assert faulty.requests("PUT") == []


def test_in_another_the_list_is_put_and_merged(
    lists: ReferrerLists, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    assert lists.listed(image.digest) == frozenset()
    put(faulty, sbom)
    first = Manifest.parse(list_bytes([Manifest.parse(sbom.raw)]))
    lists.add(image.digest, first)
    assert faulty.manifests["team/app", list_tag(image.digest)] == (first.raw, media_types.OCI_INDEX)
    more = bundled(KEY, image.digest)
    put(faulty, more)
    lists.add(image.digest, Manifest.parse(list_bytes([Manifest.parse(more.raw)])))
    assert lists.listed(image.digest) == {sbom.descriptor.digest, more.descriptor.digest}
    puts = len(faulty.requests("PUT"))
    lists.add(image.digest, first)
    assert len(faulty.requests("PUT")) == puts


def test_a_tag_that_is_taken(lists: ReferrerLists, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.put_image("team/app", list_tag(image.digest))
    with pytest.raises(SourceError, match="is taken by something that is no list") as caught:
        lists.listed(image.digest)
    assert "remove that tag" in caught.value.hint
    faulty.put_manifest("team/app", list_tag(image.digest), json.dumps({"schemaVersion": 1}).encode(), "text/plain")
    with pytest.raises(SourceError, match=f"{SUBJECT}: {list_tag(image.digest)}: "):
        lists.listed(image.digest)


@pytest.mark.parametrize("part", ["/referrers/", "GET /v2/team/app/manifests/", "PUT"])
def test_a_refusal_inside_is_told(
    lists: ReferrerLists, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact, part: str
) -> None:
    put(faulty, sbom)
    faulty.plan(part, *[refusal(403, "DENIED", "not yours")] * 3)
    with pytest.raises(RegistryError, match=f"{SUBJECT}: .* 403 Forbidden"):
        lists.add(image.digest, Manifest.parse(list_bytes([Manifest.parse(sbom.raw)])))


def test_a_host_that_is_gone(lists: ReferrerLists, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("/referrers/", *[cut(0)] * 3)
    faulty.referrers = 1
    with pytest.raises(NetworkError, match=SUBJECT):
        lists.listed(image.digest)
