"""One blob that is sent: in one go, and on from where it was cut."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.errors import IntegrityError, NetworkError, StorageError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.images.fake_images import FakeSource
from tests.fixtures.images.pushes import LAYER, MIB, SUBJECT, Push, patched, whole
from tests.fixtures.servers.faulty_registry import (
    Answer,
    Fault,
    FaultyRegistry,
    Seen,
    faulty_registry,
    instead,
    redirect,
    refusal,
    stall,
    with_headers,
)


@pytest.mark.parametrize("kept", [MIB, 0], ids=["from-where-it-was", "anew"])
def test_a_cut_upload_goes_on(
    push: Push, faulty: FaultyRegistry, source: FakeSource, meter: RecordingMeter, kept: int
) -> None:
    faulty.uploads.keeps = kept > 0
    faulty.plan_short("PATCH ", MIB)
    push()
    whole(faulty, source)
    assert len(LAYER) - kept in patched(faulty), "the config may have come before it"
    assert any("continuing" in line for line in meter.said) is bool(kept)
    assert meter.moved == meter.expected, "no byte is counted twice"
    ranges = [seen.headers.get("content-range") for seen in faulty.requests("PATCH ")]
    assert set(ranges) - {None} == ({f"{kept}-{len(LAYER) - 1}"} if kept else set())


def test_progress_is_not_given_up(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan_short("PATCH ", *[200_000] * 8)
    push()
    whole(faulty, source)


def test_no_progress_is_given_up(push: Push, faulty: FaultyRegistry, pauses: list[float]) -> None:
    faulty.plan_short("PATCH ", *[0] * 9)
    with pytest.raises(NetworkError, match=r"image 'app': 127.0.0.1:\d+: .*gave up after 3 attempts"):
        push()
    assert len(pauses) == 2
    assert ("team/app", "1") not in faulty.manifests


def test_only_the_answer_was_lost(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan("PUT /v2/team/app/blobs", instead(502))
    push()
    whole(faulty, source)
    assert patched(faulty).count(len(LAYER)) == 1


def test_a_stalled_answer(
    make_transport: MakeTransport, faulty: FaultyRegistry, source: FakeSource, logins: Path, meter: RecordingMeter
) -> None:
    transport = make_transport({faulty.host: HostSettings(plain_http=True)}, read_timeout=1.0, store_timeout=1.0)
    registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}), meter=meter)
    faulty.plan("PATCH ", with_headers(Content_Length="5"))
    faulty.plan("PUT /v2/team/app/manifests", stall(0))
    sink = Uploads(registries).repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    push_image(source, source.resolve(), sink, subject=SUBJECT, meter=meter, transfers=Transfers(1))
    whole(faulty, source)


def lose_all(faulty: FaultyRegistry) -> Fault:
    """The registry forgets every upload, as one does that is restarted with another secret."""

    def play(seen: Seen, right: Answer) -> Answer:
        faulty.uploads.sessions.clear()
        return refusal(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")(seen, right)

    return play


def test_an_offset_that_the_registry_refuses(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan("PATCH ", instead(416))
    push()
    whole(faulty, source)


def test_a_lost_upload_begins_anew(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    faulty.plan("PATCH ", lose_all(faulty))
    push()
    whole(faulty, source)


def test_a_registry_that_joins_wrong_bytes(push: Push, faulty: FaultyRegistry, source: FakeSource) -> None:
    def other_bytes(seen: Seen, right: Answer) -> Answer:
        faulty.uploads.sessions["session-1"][0] ^= 1
        return right

    faulty.plan_short("PATCH ", MIB)
    faulty.plan("PATCH ", other_bytes)
    push()
    whole(faulty, source)
    assert patched(faulty)[:2] == [len(LAYER) - MIB, len(LAYER)]


def test_an_upload_that_begins_elsewhere_goes_on_there(
    push: Push, faulty: FaultyRegistry, other: FaultyRegistry, source: FakeSource
) -> None:
    other.uploads.held = faulty.uploads.held
    faulty.plan("POST ", *[lambda seen, right: redirect(f"{other.url}{seen.path}")(seen, right)] * 3)
    push()
    whole(faulty, source)
    assert len(patched(other)) == 3
    assert not patched(faulty)
    assert all("authorization" not in seen.headers for seen in other.seen)


@pytest.fixture(params=["http", "tls"])
def end(request: pytest.FixtureRequest, certificate: Path) -> Iterator[FaultyRegistry]:
    """A registry with or without TLS."""
    with faulty_registry(certificate=certificate if request.param == "tls" else None) as registry:
        yield registry


@pytest.fixture
def push_there(
    make_transport: MakeTransport, end: FaultyRegistry, ca: Path, logins: Path, source: FakeSource
) -> Callable[[], PushedImage]:
    transport = make_transport({end.host: HostSettings(ca=ca, plain_http=end.url.startswith("http:"))})
    registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}))
    sink = Uploads(registries).repository(Reference.parse(f"{end.host}/team/app:1"), subject=SUBJECT)
    meter = RecordingMeter()
    return lambda: push_image(source, source.resolve(), sink, subject=SUBJECT, meter=meter, transfers=Transfers(1))


def reading(source: FakeSource, monkeypatch: pytest.MonkeyPatch, data: bytes, fault: OSError | None = None) -> None:
    """The medium gives other bytes of the layer than there were, in steps, or fails behind them."""
    whole = source.read

    def read(descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        if descriptor.digest != Digest.of(LAYER):
            yield from whole(descriptor, offset)
            return
        yield from (data[at : at + MIB // 4] for at in range(offset, len(data), MIB // 4))
        if fault:
            raise fault

    monkeypatch.setattr(source, "read", read)


@pytest.mark.parametrize(
    "data", [LAYER[:MIB], LAYER[:-1], LAYER[:-1] + b"x", b"x" + LAYER[1:]], ids=["half", "short", "last", "first"]
)
def test_an_upload_of_damaged_bytes_is_given_up(
    end: FaultyRegistry,
    source: FakeSource,
    push_there: Callable[[], PushedImage],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
) -> None:
    reading(source, monkeypatch, data)
    found = rf"found {len(data)} with {Digest.of(data)}; it was not pushed"
    with pytest.raises(IntegrityError, match=rf"image 'app': its blob {Digest.of(LAYER)} is damaged: .* {found}"):
        push_there()
    assert end.requests("DELETE /v2/team/app/blobs/uploads/")
    assert not any(len(session) for session in end.uploads.sessions.values()), "nothing of it is kept"
    assert ("team/app", str(Digest.of(LAYER))) not in end.uploads.held
    assert not end.manifests


def test_a_medium_that_fails_while_it_is_sent(
    end: FaultyRegistry, source: FakeSource, push_there: Callable[[], PushedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading(source, monkeypatch, LAYER[:MIB], OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(StorageError, match=r"image 'app': can't read sha256:[0-9a-f]{64}: Input/output error"):
        push_there()
    assert end.requests("DELETE /v2/team/app/blobs/uploads/")
    assert not end.manifests


def test_a_registry_that_can_not_give_up(
    end: FaultyRegistry, source: FakeSource, push_there: Callable[[], PushedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told is the damage, not that."""
    reading(source, monkeypatch, LAYER[:-1])
    end.plan("DELETE ", instead(405))
    with pytest.raises(IntegrityError, match="is damaged"):
        push_there()
