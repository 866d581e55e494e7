"""The registry inside over HTTP: what it holds, and images straight from the bundle."""

import re
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from bundle.errors import NetworkError, RegistryError
from bundle.metadata.manifest import ImageEntry
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import walk_manifests
from bundle.transfer.transfers import Transfers
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal

BLOB = b"a blob that a delta leaves out"


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    """Its images go to a registry that does wrong on demand."""
    return receiving(carried_bundle, tmp_path / "state", registry=f"http://{faulty.host}/team")


def entry(receiver: Receiver, name: str = "one") -> ImageEntry:
    return next(each for each in receiver.carried.bundle.manifest.images if each.name == name)


def given(offset: int) -> Generator[bytes, None, None]:
    yield BLOB[offset:]


def descriptor(data: bytes) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=Digest.of(data), size=len(data))


def place(faulty: FaultyRegistry, path: str = "team/one") -> Reference:
    return Reference(host=faulty.host, path=path)


def deliver(receiver: Receiver, name: str = "one") -> str:
    found = entry(receiver, name)
    source = receiver.crossing.source(found)
    with_one = Transfers(1)
    return receiver.crossing.delivery.deliver(found, source, with_one)


def parts(receiver: Receiver, name: str = "one") -> dict[Digest, Descriptor]:
    found = entry(receiver, name)
    manifests = walk_manifests(receiver.crossing.source(found).manifest, found.root, "image")
    return {blob.digest: blob for each in manifests if not each.is_index for blob in each.children()}


def test_a_blob_is_brought_looked_for_and_read(receiver: Receiver, faulty: FaultyRegistry) -> None:
    repositories, blob = receiver.crossing.repositories, descriptor(BLOB)
    assert not repositories.holds(place(faulty), blob)
    repositories.bring(place(faulty), blob, given)
    assert repositories.holds(place(faulty), blob)
    assert not repositories.holds(place(faulty, "team/two"), blob)
    assert b"".join(repositories.read(place(faulty), blob, 5)) == BLOB[5:]


def test_an_image_is_sent_whole_and_then_there(receiver: Receiver, faulty: FaultyRegistry) -> None:
    found, delivery = entry(receiver), receiver.crossing.delivery
    assert delivery.look(found).digest is None
    assert delivery.missing(found, parts(receiver)) == parts(receiver)
    assert deliver(receiver).startswith(f"{faulty.host}/team/one:1.0: ")
    assert re.search(r": [\d.]+ KB already there$", deliver(receiver))
    assert delivery.look(found).digest == found.digest
    assert delivery.missing(found, parts(receiver)) == {}
    raw, kind = faulty.manifests["team/one", "1.0"]
    assert (Digest.of(raw), kind) == (found.digest, media_types.OCI_MANIFEST)


def test_what_images_share_is_mounted(receiver: Receiver, faulty: FaultyRegistry) -> None:
    deliver(receiver, "one")
    faulty.seen.clear()
    assert "mounted" in deliver(receiver, "two")
    assert any("mount=sha256" in seen.path and "from=team" in seen.path for seen in faulty.requests("POST"))


def test_an_image_keeps_its_digest(receiver: Receiver) -> None:
    assert receiver.crossing.delivery.registered("one", Digest.of(b"x")) == Digest.of(b"x")


def test_a_chart_goes_below_a_place_of_its_own(receiver: Receiver, faulty: FaultyRegistry) -> None:
    target, sink = receiver.crossing.repositories.chart("app", "charts/app", "1.0.0")
    assert str(target) == f"{faulty.host}/team/charts/app:1.0.0"
    assert sink.current() is None


def test_a_refusal_names_image_and_target(receiver: Receiver, faulty: FaultyRegistry) -> None:
    faulty.plan("", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    with pytest.raises(RegistryError, match=rf"^image 'one' \({faulty.host}/team/one:1\.0\): .*403 Forbidden"):
        receiver.crossing.delivery.look(entry(receiver))


def test_a_host_that_could_not_be_reached_is_not_asked_again(
    carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look-up may take as long as its time-out, and there is one for each image and chart."""
    asked: list[str] = []

    def unknown(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    receiver = receiving(carried_bundle, tmp_path / "state", registry="registry.inside.example/team")
    repositories = receiver.crossing.repositories
    with pytest.raises(NetworkError, match=r"registry\.inside\.example") as first:
        repositories.look(entry(receiver))
    once = len(asked)
    assert once
    for name in ("one", "two"):
        with pytest.raises(NetworkError) as again:
            repositories.look(entry(receiver, name))
        assert again.value is first.value
    with pytest.raises(NetworkError):
        repositories.look_for_chart("app", "app", "1.0.0")
    assert len(asked) == once
