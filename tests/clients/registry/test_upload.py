"""Pushes against a stand-in that does wrong on demand; the image goes through push_image, as in an install."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle.errors import IntegrityError, NetworkError, RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.images.fake_images import AMD64, FakeSource
from tests.fixtures.images.pushes import LAYER, SMALL, SUBJECT, Push, patched, whole
from tests.fixtures.servers.faulty_registry import (
    Answer,
    Fault,
    FaultyRegistry,
    Seen,
    faulty_registry,
    instead,
    refusal,
    with_headers,
)

# What is sent.


def test_a_new_image(push: Push, faulty: FaultyRegistry, source: FakeSource, meter: RecordingMeter) -> None:
    done = push()
    whole(faulty, source)
    config = source.manifest(source.resolve())
    size = len(LAYER) + len(SMALL) + Manifest.parse(config).config.size
    assert (done.pushed, done.present, done.mounted, done.changed) == (size, 0, 0, True)
    assert (meter.expected, meter.moved, meter.reused, meter.said) == (size, size, 0, [])
    (stored,) = faulty.requests("PUT /v2/team/app/manifests")
    assert stored.path == "/v2/team/app/manifests/1"
    assert stored.body == config
    assert stored.headers["content-type"] == media_types.OCI_MANIFEST
    assert f"{faulty.seen[-1].method} {faulty.seen[-1].path}" == "HEAD /v2/team/app/manifests/1"
    for seen in faulty.requests("PATCH "):
        assert seen.headers["content-length"] == str(len(seen.body))
        assert "transfer-encoding" not in seen.headers
        assert seen.headers["content-type"] == "application/octet-stream"


def test_an_image_that_is_there_is_one_head(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    first = push()
    faulty.seen.clear()
    done = push()
    assert [f"{seen.method} {seen.path}" for seen in faulty.seen] == ["HEAD /v2/team/app/manifests/1"]
    assert (done.pushed, done.present, done.changed) == (0, first.pushed, False)
    assert not [asked for asked in source.asked if asked[0] == "blob"][3:], "its blobs are not read again"


def test_blobs_that_are_there_are_not_sent(push: Push, faulty: FaultyRegistry, meter: RecordingMeter) -> None:
    faulty.put_blob(LAYER)
    done = push()
    assert done.present == len(LAYER) == meter.reused
    assert sum(patched(faulty)) == done.pushed < 1000


def test_another_tag_of_what_is_there(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    push()
    faulty.seen.clear()
    assert push("team/app:2").pushed == 0
    whole(faulty, source, tag="2")
    assert [seen.method for seen in faulty.seen] == ["HEAD", "HEAD", "PUT", "HEAD"]


def test_an_index_and_its_children_first(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    platforms = [Manifest.parse(source.manifest(source.resolve())).descriptor]
    platforms.append(source.image(LAYER, b"other"))
    source.put(b"", media_types.OCI_LAYER)
    source.index(*((each, AMD64) for each in platforms))
    push()
    stored = [seen.path.rpartition("/")[2] for seen in faulty.requests("PUT /v2/team/app/manifests")]
    assert stored == [*(str(each.digest) for each in platforms), "1"]
    assert faulty.manifests["team/app", "1"][1] == media_types.OCI_INDEX


def test_an_empty_layer(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    source.image(b"")
    push()
    whole(faulty, source)


def test_by_digest_only(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    digest = source.resolve().digest
    push(f"team/app@{digest}")
    whole(faulty, source, tag=str(digest))


# Mounting.


def test_a_blob_of_this_run_is_mounted(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    first = push()
    faulty.seen.clear()
    done = push("team/copy:1")
    assert (done.pushed, done.mounted) == (0, first.pushed)
    whole(faulty, source, "team/copy")
    assert not patched(faulty)


def test_a_blob_of_a_given_sibling_is_mounted(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.uploads.held["team/base", str(Digest.of(LAYER))] = LAYER
    done = push(siblings=("team/none", "team/base"))
    assert done.mounted == len(LAYER)
    whole(faulty, source)
    (mount,) = faulty.requests("mount=")
    assert "from=team%2Fbase" in mount.path


@pytest.mark.parametrize(
    "fault",
    [None, refusal(405, "UNSUPPORTED", "no mounts"), refusal(403, "DENIED", "no")],
    ids=["202", "405", "403"],
)
def test_where_nothing_is_mounted_it_is_sent(
    push: Push, faulty: FaultyRegistry, source: FakeSource, fault: Fault | None
) -> None:
    faulty.uploads.held["team/base", str(Digest.of(LAYER))] = LAYER
    faulty.uploads.mounts = False
    if fault:
        faulty.plan("mount=", fault)
    done = push(siblings=("team/base",))
    assert (done.mounted, max(patched(faulty))) == (0, len(LAYER))
    whole(faulty, source)
    assert faulty.uploads.begun == 3 + (1 if fault else 0), "the upload that a 202 offers is the one used"


def test_a_sibling_that_may_not_be_read_is_left_out(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan("HEAD /v2/team/base/", refusal(403, "DENIED", "not yours"))
    assert push(siblings=("team/base",)).mounted == 0
    whole(faulty, source)


def test_siblings_elsewhere_are_not_asked(
    push: Push, faulty: FaultyRegistry, other: FaultyRegistry, registries: Registries
) -> None:
    sink = Uploads(registries).repository(
        Reference.parse(f"{faulty.host}/a"), subject="a", siblings=[Reference.parse(f"{other.host}/b")]
    )
    blob = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(LAYER), size=len(LAYER))
    sink.put_blob(blob, lambda offset: (chunk for chunk in [LAYER[offset:]]))
    assert not other.seen
    assert not faulty.requests("/v2/b/")


def test_a_blob_that_the_registry_dropped_is_sent_again(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    push()
    faulty.uploads.held.clear()
    faulty.manifests.clear()
    faulty.seen.clear()
    assert push().mounted == 0
    whole(faulty, source)
    assert not faulty.requests("mount=")


def test_one_blob_for_several_images_is_sent_once(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: push(f"team/app-{number}:1", jobs=2), range(4)))
    assert sum(image.pushed for image in done) == sum(patched(faulty)) == done[0].pushed + done[0].mounted
    for number in range(4):
        whole(faulty, source, f"team/app-{number}")


# Faults.


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("part", ["HEAD /v2/team/app/blobs", "POST ", "PUT /v2/team/app/manifests", "HEAD /v2/team/a"])
def test_a_passing_fault(
    push: Push, faulty: FaultyRegistry, source: FakeSource, pauses: list[float], status: int, part: str
) -> None:
    faulty.plan(part, instead(status, Retry_After="7"))
    push()
    whole(faulty, source)
    assert pauses == [7.0]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_while_bytes_go_out(
    push: Push, faulty: FaultyRegistry, source: FakeSource, pauses: list[float], status: int
) -> None:
    def before_it_is_stored(seen: Seen, right: Answer) -> Answer:
        faulty.uploads.sessions.clear()
        return Answer(status=status, headers={"Retry-After": "7"})

    faulty.plan("PATCH ", before_it_is_stored)
    push()
    whole(faulty, source)
    assert pauses == [7.0]


def test_what_is_stored_may_take_its_time(
    make_transport: MakeTransport, faulty: FaultyRegistry, source: FakeSource, logins: Path, meter: RecordingMeter
) -> None:
    def slowly(seen: Seen, right: Answer) -> Answer:
        time.sleep(1.4)
        return right

    transport = make_transport({faulty.host: HostSettings(plain_http=True)}, read_timeout=1.0)
    registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}), meter=meter)
    for part in ("PATCH ", "PUT /v2/team/app/blobs", "PUT /v2/team/app/manifests"):
        faulty.plan(part, slowly)
    sink = Uploads(registries).repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    push_image(source, source.resolve(), sink, subject=SUBJECT, meter=meter, transfers=Transfers(1))
    assert meter.said == []


REFUSALS = [
    (401, "UNAUTHORIZED", "POST ", "may push to {host}/team/app: docker login"),
    (403, "DENIED", "POST ", "right to push to {host}/team/app"),
    (403, "DENIED", "HEAD ", "right to push to {host}/team/app"),
    (404, "NAME_UNKNOWN", "POST ", "create project 'team' at {host}"),
    (405, "UNSUPPORTED", "POST ", "registry.push"),
    (413, "", "PATCH ", "client_max_body_size"),
    (507, "", "PATCH ", "free space"),
    (415, "MANIFEST_INVALID", "PUT /v2/team/app/manifests", 'zot: "compat": ["docker2s2"] below "http"'),
]


@pytest.mark.parametrize(("status", "code", "part", "hint"), REFUSALS, ids=[f"{r[0]}-{r[2][:4]}" for r in REFUSALS])
def test_a_refusal_is_final_and_says_what_to_do(
    push: Push, faulty: FaultyRegistry, pauses: list[float], status: int, code: str, part: str, hint: str
) -> None:
    faulty.plan(part, *[refusal(status, code, "in the registry's own words")] * 3)
    with pytest.raises(RegistryError, match=rf"image 'app': {faulty.host} answered {status}") as caught:
        push()
    assert hint.format(host=faulty.host) in caught.value.hint
    assert ("in the registry's own words" in caught.value.what) is not part.startswith("HEAD")
    assert not pauses
    assert not faulty.manifests or part.startswith("PUT ")


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "DIGEST_INVALID"])
def test_a_manifest_that_another_push_races_is_sent_again_after_growing_pauses(
    push: Push, faulty: FaultyRegistry, source: FakeSource, pauses: list[float], meter: RecordingMeter, code: str
) -> None:
    faulty.plan("PUT /v2/team/app/manifests", *[refusal(400, code, "not yet")] * 2)
    push()
    whole(faulty, source)
    assert pauses == [0.5, 1.0]
    assert any("it misses what was just sent; trying again" in said for said in meter.said)


def test_a_manifest_whose_blob_is_lost(push: Push, faulty: FaultyRegistry, pauses: list[float]) -> None:
    faulty.plan("PUT /v2/team/app/manifests", *[refusal(400, "MANIFEST_BLOB_UNKNOWN", "gone")] * 9)
    with pytest.raises(RegistryError, match=rf"image 'app': {faulty.host} answered 400.*gone.*3 attempts") as caught:
        push()
    assert "lost a blob" in caught.value.hint
    assert pauses == [0.5, 1.0]


def test_a_fault_that_stays(push: Push, faulty: FaultyRegistry) -> None:
    faulty.plan("POST ", *[refusal(500, "UNKNOWN", "no space left on device")] * 9)
    with pytest.raises(RegistryError, match=r"no space left on device.*gave up after 3 attempts") as caught:
        push()
    assert "what is pushed stays" in caught.value.hint


def test_a_closed_port(push: Push, make_transport: MakeTransport, logins: Path, source: FakeSource) -> None:
    transport = make_transport({"127.0.0.1:1": HostSettings(plain_http=True)})
    sink = Uploads(Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))).repository(
        Reference.parse("127.0.0.1:1/team/app:1"), subject=SUBJECT
    )
    with pytest.raises(NetworkError, match=r"image 'app': 127.0.0.1:1: connection refused"):
        sink.current()


def test_a_certificate_that_is_not_trusted(
    make_transport: MakeTransport, certificate: Path, ca: Path, logins: Path, source: FakeSource, meter: RecordingMeter
) -> None:
    def push_with(settings: HostSettings, host: str) -> PushedImage:
        transport = make_transport({host: settings})
        registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))
        sink = Uploads(registries).repository(Reference.parse(f"{host}/team/app:1"), subject=SUBJECT)
        return push_image(source, source.resolve(), sink, subject=SUBJECT, meter=meter, transfers=Transfers(1))

    with faulty_registry(certificate=certificate) as secure:
        with pytest.raises(NetworkError, match=rf"the certificate of {secure.host} is not trusted") as caught:
            push_with(HostSettings(), secure.host)
        assert "ca: FILE" in caught.value.hint
        secure.uploads.place = f"http://{secure.host}"  # what a registry says behind a proxy that ends TLS
        assert push_with(HostSettings(ca=ca), secure.host).changed
        whole(secure, source)


# Logins.


def test_a_wrong_login_is_named_as_one(push: Push, faulty: FaultyRegistry, logins: Path) -> None:
    log_in(logins, faulty.host)
    faulty.basic = "me:other"
    with pytest.raises(RegistryError, match=f"{faulty.host} answered 401") as caught:
        push()
    told = f"the login for {faulty.host} in {logins} is wrong, or has expired: docker login {faulty.host}"
    assert caught.value.hint == told


def log_in(logins: Path, host: str) -> None:
    logins.write_text(json.dumps({"auths": {host: {"username": "me", "password": "secret"}}}))


def test_tokens_to_push_and_mount(push: Push, faulty: FaultyRegistry, logins: Path, source: FakeSource) -> None:
    log_in(logins, faulty.host)
    faulty.basic, faulty.realm = "me:secret", f"{faulty.url}/token"
    push()
    push("team/copy:1")
    whole(faulty, source, "team/copy")
    assert not [seen for seen in faulty.requests("PATCH ") if not seen.headers["authorization"].startswith("Bearer ")]


def test_a_challenge_without_scope_asks_to_push(
    push: Push, faulty: FaultyRegistry, logins: Path, source: FakeSource
) -> None:
    log_in(logins, faulty.host)
    faulty.basic, faulty.realm = "me:secret", f"{faulty.url}/token"

    def no_scope(seen: Seen, right: Answer) -> Answer:
        right.headers["WWW-Authenticate"] = f'Bearer realm="{faulty.realm}",service="test"'
        return right

    faulty.plan("HEAD ", no_scope)
    push()
    assert "scope=repository%3Ateam%2Fapp%3Apull%2Cpush" in faulty.requests("GET /token")[0].path


def test_a_token_that_expires_between_blobs(
    push: Push, faulty: FaultyRegistry, logins: Path, source: FakeSource
) -> None:
    log_in(logins, faulty.host)
    faulty.basic, faulty.realm = "me:secret", f"{faulty.url}/token"

    def expire(seen: Seen, right: Answer) -> Answer:
        faulty.tokens.clear()
        return right

    faulty.plan("POST ", expire, expire)
    push()
    whole(faulty, source)
    assert faulty.issued == 3


def test_a_login_goes_to_no_other_host(
    push: Push, faulty: FaultyRegistry, other: FaultyRegistry, logins: Path, source: FakeSource
) -> None:
    log_in(logins, faulty.host)
    faulty.basic = "me:secret"
    faulty.uploads.place = other.url
    other.uploads = faulty.uploads
    push()
    whole(faulty, source)
    assert {seen.method for seen in other.seen} == {"PATCH", "PUT"}
    assert not [seen for seen in other.seen if "authorization" in seen.headers]
    assert not faulty.requests("blobs/uploads/session")


def test_an_absolute_location(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.uploads.place = faulty.url
    push()
    whole(faulty, source)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda place: place.partition("?")[0], id="without a query"),
        pytest.param(lambda place: place.rpartition("/uploads/")[2], id="relative to where it began"),
        pytest.param(lambda place: f"{place}&digest_hint=a%2Fb%3D%3D", id="with an escaped query"),
    ],
)
def test_locations_as_registries_write_them(
    push: Push, faulty: FaultyRegistry, source: FakeSource, rewrite: Callable[[str], str]
) -> None:
    def rewritten(_: Seen, right: Answer) -> Answer:
        place = right.headers.get("Location")
        return Answer(
            status=right.status, body=right.body,
            headers={**right.headers, **({"Location": rewrite(place)} if place else {})},
        )  # fmt: skip

    faulty.plan("/blobs/uploads/", *[rewritten] * 30)
    push()
    whole(faulty, source)
    assert all("a%2Fb%3D%3D" in each.path for each in faulty.requests("PATCH ")) or "a%2Fb" not in rewrite("")


# Tags.


def tagged(faulty: FaultyRegistry) -> Descriptor:
    """Another image has the tag."""
    return faulty.put_image("team/app", "1", b"other layer")


def test_a_tag_that_moves(push: Push, faulty: FaultyRegistry, source: FakeSource, meter: RecordingMeter) -> None:
    before = tagged(faulty)
    push()
    whole(faulty, source)
    assert meter.said == [
        f"{SUBJECT}: {faulty.host}/team/app:1 moves from {before.digest} to {source.resolve().digest}"
    ]


IMMUTABLE = [
    (400, "TAG_INVALID", "The image tag '1' already exists"),
    (405, "UNSUPPORTED", ""),
    (409, "CONFLICT", ""),
    (412, "PRECONDITION", "configured as immutable"),
]


@pytest.mark.parametrize(("status", "code", "words"), IMMUTABLE, ids=[str(each[0]) for each in IMMUTABLE])
def test_a_tag_that_may_not_move(
    push: Push, faulty: FaultyRegistry, source: FakeSource, status: int, code: str, words: str
) -> None:
    before = tagged(faulty)
    faulty.plan("PUT /v2/team/app/manifests/1", refusal(status, code, words))
    with pytest.raises(RegistryError) as caught:
        push()
    expected = f"it refuses to move {faulty.host}/team/app:1 from {before.digest} to {source.resolve().digest}"
    assert expected in caught.value.what
    assert "immutable" in caught.value.hint


def test_a_refusal_without_another_image_is_no_matter_of_tags(push: Push, faulty: FaultyRegistry) -> None:
    faulty.plan("PUT /v2/team/app/manifests/1", refusal(403, "DENIED", "quota exceeded"))
    with pytest.raises(RegistryError, match="quota exceeded") as caught:
        push()
    assert "refuses to move" not in caught.value.what


def test_a_tag_that_is_there_a_moment_later(
    push: Push, faulty: FaultyRegistry, source: FakeSource, pauses: list[float], meter: RecordingMeter
) -> None:
    absent = refusal(404, "MANIFEST_UNKNOWN", "")
    faulty.plan("HEAD /v2/team/app/manifests/1", absent, absent, absent)
    push()
    whole(faulty, source)
    assert len(pauses) == 2
    assert any("names nothing right after the push; trying again" in line for line in meter.said)


def test_a_tag_that_moves_a_moment_later(push: Push, faulty: FaultyRegistry, pauses: list[float]) -> None:
    old = faulty.put_image("team/app", "1", b"old").digest
    stale = with_headers(Docker_Content_Digest=str(old))
    faulty.plan("HEAD /v2/team/app/manifests/1", stale, stale)
    push()
    assert len(pauses) == 1


def test_a_tag_that_never_comes(push: Push, faulty: FaultyRegistry, pauses: list[float]) -> None:
    faulty.plan("HEAD /v2/team/app/manifests/1", *[refusal(404, "MANIFEST_UNKNOWN", "")] * 9)
    with pytest.raises(IntegrityError, match=r"image 'app': .*team/app:1 names nothing after the push, expected sha"):
        push()
    assert len(pauses) == 2


def test_what_the_tag_names_afterwards_is_compared(push: Push, faulty: FaultyRegistry) -> None:
    wrong = str(Digest.of(b"other"))
    absent = refusal(404, "MANIFEST_UNKNOWN", "")
    faulty.plan("HEAD /v2/team/app/manifests/1", absent, with_headers(Docker_Content_Digest=wrong))
    with pytest.raises(IntegrityError, match=rf"image 'app': .*team/app:1 names {wrong} after the push, expected sha"):
        push()


def test_a_registry_that_tells_no_digest(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan("HEAD /v2/team/app/manifests/1", *[with_headers(Docker_Content_Digest="")] * 3)
    push()
    whole(faulty, source)
    (asked,) = faulty.requests("GET /v2/team/app/manifests/1")
    assert asked.headers["accept"]


# The source.


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data[1:]],
    ids=["short", "long", "changed"],
)  # fmt: skip
def test_a_damaged_blob_is_told_and_never_stored(
    push: Push, faulty: FaultyRegistry, source: FakeSource, damage: Callable[[bytes], bytes]
) -> None:
    source.content[Digest.of(LAYER)] = damage(LAYER)
    with pytest.raises(IntegrityError, match=rf"image 'app': its blob {Digest.of(LAYER)} is damaged"):
        push()
    assert ("team/app", str(Digest.of(LAYER))) not in faulty.uploads.held
    assert not faulty.manifests


def test_what_the_registry_refuses_though_it_is_good(push: Push, faulty: FaultyRegistry) -> None:
    faulty.plan(f"digest=sha256%3A{Digest.of(LAYER).hex}", refusal(400, "DIGEST_INVALID", "other bytes came"))
    with pytest.raises(RegistryError, match=r"image 'app': .* answered 400 .*other bytes came") as caught:
        push()
    assert "changes bytes on the way" in caught.value.hint


def test_a_registry_that_says_it_stored_something_else(push: Push, faulty: FaultyRegistry) -> None:
    other = str(Digest.of(b"other"))
    faulty.plan(f"digest=sha256%3A{Digest.of(LAYER).hex}", with_headers(Docker_Content_Digest=other))
    with pytest.raises(IntegrityError, match=rf"image 'app': {faulty.host} stored {other}, expected "):
        push()
    assert not faulty.manifests


def test_a_blob_that_the_source_lacks(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    del source.content[Digest.of(LAYER)]
    with pytest.raises(SourceError, match=r"image 'app': no blob"):
        push()
    assert not faulty.manifests


def test_an_interrupted_push_stops(faulty: FaultyRegistry, registries: Registries, source: FakeSource) -> None:
    sink = Uploads(registries).repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    transfers = Transfers(1)
    begun = threading.Event()

    def stop(seen: Seen, right: Answer) -> Answer:
        transfers.stop()
        begun.set()
        return right

    faulty.plan("POST ", stop)
    with pytest.raises(KeyboardInterrupt):
        push_image(source, source.resolve(), sink, subject=SUBJECT, meter=RecordingMeter(), transfers=transfers)
    assert begun.is_set()
    assert not faulty.requests("PUT ")
