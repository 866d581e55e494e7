"""What a delta leaves out: found inside, mounted or read from there, or told to be nowhere."""

from collections.abc import Generator
from pathlib import Path

import pytest

from bundle.errors import SourceError
from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.reference import Reference
from tasks.site.delta import Inside
from tasks.site.receiver import Receiver
from tests.fixtures.benches.deltas import BIG, BLOB
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


@pytest.fixture
def receiver(delta: Path, tmp_path: Path, faulty: FaultyRegistry) -> Receiver:
    return receiving(delta, tmp_path / "state", registry=f"http://{faulty.host}/team")


def given(offset: int) -> Generator[bytes, None, None]:
    yield BIG.data[offset:]


def inside(receiver: Receiver) -> Inside:
    found = receiver.crossing.inside
    assert found
    return found


def entries(receiver: Receiver) -> tuple[ImageEntry, ...]:
    return receiver.carried.bundle.manifest.images


def bring(receiver: Receiver, faulty: FaultyRegistry, path: str = "team/one") -> Reference:
    place = Reference(host=faulty.host, path=path)
    receiver.crossing.repositories.bring(place, BLOB, given)
    return place


def test_where_it_should_be_is_where_the_base_says_by_this_registry(receiver: Receiver, faulty: FaultyRegistry) -> None:
    ((place, blob),) = inside(receiver).stated()
    assert (str(place), blob.digest) == (f"{faulty.host}/team/one", BLOB.digest)


def test_nowhere_is_told_for_each_image_with_where_was_looked(receiver: Receiver, faulty: FaultyRegistry) -> None:
    found = {entry.name: err for entry, err in inside(receiver).lacking()}
    assert list(found) == ["one", "two"]
    told = found["two"].what
    assert told.startswith(f"image 'two': {BLOB.digest} (")
    assert f"but it is not: looked in {faulty.host}/team/one, {faulty.host}/team/two" in told
    assert "make a full bundle of app 2.0" in found["two"].hint
    with pytest.raises(SourceError, match=r"left out, because the receipt of app 1\.0"):
        next(inside(receiver).read(entries(receiver)[0], BLOB, 0))


@pytest.mark.parametrize("path", ["team/one", "team/two"], ids=["as the base says", "where another image goes"])
def test_what_is_there_completes_the_images(receiver: Receiver, faulty: FaultyRegistry, path: str) -> None:
    place = bring(receiver, faulty, path)
    assert list(inside(receiver).lacking()) == []
    assert inside(receiver).place(BLOB.digest) == place
    one = entries(receiver)[0]
    source = receiver.crossing.image(one)
    assert b"".join(source.read(BLOB, 7)) == BIG.data[7:]
    own = next(digest for digest in one.blobs if digest != BLOB.digest)
    assert own.matches(b"".join(source.read(Descriptor(media_type="x", digest=own, size=one.blobs[own]), 0)))


def test_it_is_looked_for_once(receiver: Receiver, faulty: FaultyRegistry) -> None:
    bring(receiver, faulty)
    faulty.seen.clear()
    for _ in range(3):
        inside(receiver).place(BLOB.digest)
    assert len(faulty.requests("HEAD")) == 1


def test_a_repository_that_may_not_be_read_is_none_to_take_it_from(receiver: Receiver, faulty: FaultyRegistry) -> None:
    place = bring(receiver, faulty, "team/two")
    faulty.plan("HEAD /v2/team/one/", *[refusal(403, "DENIED", "not yours")] * OFTEN)
    assert inside(receiver).place(BLOB.digest) == place


def test_an_image_that_is_there_as_it_is_needs_nothing(receiver: Receiver, faulty: FaultyRegistry) -> None:
    one = entries(receiver)[0]
    raw = receiver.carried.bundle.image(one).manifest(one.root)
    faulty.put_manifest("team/one", "1.0", raw, one.media_type)
    assert [entry.name for entry, _ in inside(receiver).lacking()] == ["two"]
