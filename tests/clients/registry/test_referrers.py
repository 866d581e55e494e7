"""What refers to an image in a registry: with and without the referrers API, and registries that refuse to tell."""

import json
from collections.abc import Callable

import pytest

from bundle.errors import IntegrityError, RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest
from bundle.transfer.referrers import Referrer, find_referrers, list_bytes, list_tag
from clients.registry.referrers_tag import ReferrerLists
from clients.registry.repository import Registries, RegistryRepository
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.images.cosign_objects import Artifact, bundled, new_key, put, referring, simple
from tests.fixtures.servers.faulty_registry import Fault, FaultyRegistry, cut, instead, redirect, refusal, with_headers

SUBJECT = "image 'app'"
KEY = new_key()


def put_list(registry: FaultyRegistry, subject: Digest, *made: Artifact) -> None:
    raw = list_bytes(Manifest.parse(each.raw) for each in made)
    registry.put_manifest("team/app", list_tag(subject), raw, media_types.OCI_INDEX)


def listed(made: Artifact, subject: Digest) -> Referrer:
    found = made.descriptor
    return Referrer(tag=list_tag(subject), digest=found.digest, media_type=found.media_type, size=found.size)


@pytest.fixture
def image(faulty: FaultyRegistry) -> Descriptor:
    """`team/app:1`."""
    return faulty.put_image("team/app", "1", b"layer")


@pytest.fixture
def sbom(image: Descriptor) -> Artifact:
    return referring(image.digest, "application/spdx+json")


def find(app: RegistryRepository, image: Descriptor) -> tuple[Referrer, ...]:
    return find_referrers(app, [image.digest], subject=SUBJECT)


def test_nothing_is_there(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    assert find(app, image) == ()
    tag = list_tag(image.digest)
    assert [(each.method, each.path.rpartition("/")[2]) for each in faulty.seen] == [
        ("GET", str(image.digest)),
        *(("HEAD", f"{tag}{suffix}") for suffix in ("", ".sig", ".att", ".sbom")),
    ]


def test_the_api_is_asked_for_once(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    find(app, image)
    find(app, image)
    assert len(faulty.requests("/referrers/")) == 1


def test_tags_and_a_list_with_a_tag(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    signature = simple(KEY, image.digest)
    put(faulty, signature, f"{list_tag(image.digest)}.sig")
    put(faulty, sbom)
    put_list(faulty, image.digest, sbom)
    tagged = Referrer.from_dict({**listed(signature, image.digest).to_dict(), "tag": f"{list_tag(image.digest)}.sig"})
    assert find(app, image) == tuple(sorted([tagged, listed(sbom, image.digest)]))


def test_the_api_page_by_page(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    made = [sbom, *(referring(image.digest, f"application/x-{number}") for number in range(4))]
    of_sbom = bundled(KEY, sbom.descriptor.digest)
    for each in (*made, of_sbom):
        put(faulty, each)
    faulty.referrers = 2
    wanted = [*(listed(each, image.digest) for each in made), listed(of_sbom, sbom.descriptor.digest)]
    assert find(app, image) == tuple(sorted(wanted))
    assert len(faulty.requests(f"/referrers/{image.digest}")) == 3


def test_pages_stay_at_the_registry(
    app: RegistryRepository, faulty: FaultyRegistry, other: FaultyRegistry, image: Descriptor
) -> None:
    faulty.referrers = 1
    faulty.plan("/referrers/", with_headers(Link=f'<{other.url}/v2/x>; rel="next"'))
    with pytest.raises(SourceError, match=f"{SUBJECT}: the list of its referrers goes on at another host"):
        find(app, image)
    assert other.seen == []


@pytest.mark.parametrize("status", [400, 404, 405, 406, 501])
def test_how_registries_say_that_they_have_no_such_api(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact, status: int
) -> None:
    put(faulty, sbom)
    put_list(faulty, image.digest, sbom)
    faulty.plan("/referrers/", *[instead(status)] * 3)
    assert find(app, image) == (listed(sbom, image.digest),)


def test_a_page_of_a_portal_is_no_list(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("/referrers/", instead(200, b"<html>", Content_Type="text/html"))
    assert find(app, image) == ()


@pytest.mark.parametrize(
    "part", ["/referrers/", ".sig", "manifests/sha256-"], ids=["list", "tag of cosign's", "tag of the list"]
)
@pytest.mark.parametrize(
    ("fault", "status", "hint"),
    [
        pytest.param(refusal(401, "UNAUTHORIZED", "authentication required"), 401, "docker login", id="401"),
        pytest.param(refusal(403, "DENIED", "not yours"), 403, "ask for the right to pull", id="403"),
        pytest.param(refusal(429, "TOOMANYREQUESTS", "slow down"), 429, "wait and run again", id="429"),
        pytest.param(instead(500), 500, "run again later", id="500"),
    ],
)
def test_a_refusal_is_not_taken_for_nothing(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, part: str, fault: Fault, status: int, hint: str
) -> None:
    faulty.plan(part, *[fault] * 10)
    with pytest.raises(RegistryError, match=f"^{SUBJECT}: {faulty.host} answered {status}") as caught:
        find(app, image)
    assert hint in caught.value.hint


def test_a_fault_that_passes(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact, pauses: list[float]
) -> None:
    put(faulty, sbom)
    put_list(faulty, image.digest, sbom)
    faulty.plan("manifests/sha256-", instead(503), cut(3))
    assert find(app, image) == (listed(sbom, image.digest),)
    assert pauses


def test_a_list_that_is_none(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.referrers = 1
    faulty.plan("/referrers/", instead(200, b"{}", Content_Type=media_types.OCI_INDEX))
    with pytest.raises(SourceError, match=f"{SUBJECT}: the list of its referrers: "):
        find(app, image)


@pytest.mark.parametrize("size", [None, "12", -1, 10**9], ids=["absent", "text", "negative", "of something else"])
def test_a_size_in_a_list_is_a_hint(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact, size: object
) -> None:
    put(faulty, sbom)
    entry = {"mediaType": sbom.descriptor.media_type, "digest": str(sbom.descriptor.digest), "size": size}
    raw = json.dumps({"manifests": [{key: value for key, value in entry.items() if value is not None}]}).encode()
    faulty.plan("/referrers/", instead(200, raw, Content_Type=media_types.OCI_INDEX))
    (found,) = find(app, image)
    assert app.manifest(found.root) == sbom.raw


def test_an_entry_that_names_no_digest_is_passed_over(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact, meter: RecordingMeter
) -> None:
    put(faulty, sbom)
    entries = [sbom.descriptor.to_dict(), {"mediaType": media_types.OCI_MANIFEST, "digest": "md5:1"}, "x"]
    raw = json.dumps({"manifests": entries}).encode()
    faulty.plan("/referrers/", instead(200, raw, Content_Type=media_types.OCI_INDEX))
    assert find(app, image) == (listed(sbom, image.digest),)
    assert [f"warning: {faulty.host} lists a referrer" in line for line in meter.said] == [True, True]


def test_pages_are_relative_to_who_answered(
    app: RegistryRepository, faulty: FaultyRegistry, other: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    second = referring(image.digest, "application/x-second")
    for each in (sbom, second):
        put(faulty, each)
        put(other, each)
    other.put_image("team/app", "1", b"layer")
    other.referrers = 1
    faulty.plan("/referrers/", redirect(f"{other.url}/v2/team/app/referrers/{image.digest}"))
    assert find(app, image) == tuple(sorted([listed(sbom, image.digest), listed(second, image.digest)]))
    assert len(other.requests("/referrers/")) == 2


def test_a_list_with_other_bytes_than_its_digest(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    put_list(faulty, image.digest, sbom)
    raw = faulty.manifests["team/app", list_tag(image.digest)][0]
    wrong = instead(200, raw[::-1], Content_Type=media_types.OCI_INDEX, Docker_Content_Digest=str(Digest.of(raw)))
    faulty.plan(f"GET /v2/team/app/manifests/{Digest.of(raw)}", wrong)
    with pytest.raises(IntegrityError, match=f"gave a manifest with digest .*, expected {Digest.of(raw)}"):
        find(app, image)


def test_what_a_mirror_lacks_is_asked_for_at_the_registry(
    make_transport: MakeTransport, faulty: FaultyRegistry, other: FaultyRegistry, image: Descriptor, sbom: Artifact
) -> None:
    put(faulty, sbom)
    put_list(faulty, image.digest, sbom)
    plain = HostSettings(plain_http=True)
    transport = make_transport(
        {faulty.host: HostSettings(plain_http=True, mirror=f"{other.host}/mirror"), other.host: plain}
    )
    source = Registries(transport).repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    assert find_referrers(source, [image.digest], subject=SUBJECT) == (listed(sbom, image.digest),)
    asked = [each.path.replace("/v2/mirror/", "/v2/") for each in other.seen]
    assert asked == [each.path for each in faulty.seen]


# The lists inside.

Lists = Callable[[], ReferrerLists]
