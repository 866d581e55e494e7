"""One blob on its way out: compared as a whole, read again only as far as it must be."""

import errno
from collections.abc import Iterator

import pytest

from bundle.errors import IntegrityError, StorageError
from bundle.oci.descriptor import Descriptor
from bundle.transfer import blob_reading
from bundle.transfer.blob_reading import BlobReading
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.fake_images import FakeSource

DATA = bytes(range(250)) * 40
STEP = 1000


class Steps(FakeSource):
    """Gives a blob in steps."""

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        self.offsets[descriptor.digest].append(offset)
        data = self.content[descriptor.digest]
        yield from (data[at : at + STEP] for at in range(offset, len(data), STEP))


@pytest.fixture
def source() -> Steps:
    return Steps()


def reading(source: FakeSource, meter: RecordingMeter | None = None) -> tuple[BlobReading, Descriptor]:
    blob = source.put(DATA, "x")
    check = lambda: None  # noqa: E731
    return BlobReading(source, blob, subject="image 'app'", meter=meter or RecordingMeter(), check=check), blob


@pytest.mark.parametrize("offset", [0, 1, STEP, 3500, len(DATA) - 1, len(DATA)])
def test_the_bytes_from_an_offset_on(source: Steps, offset: int) -> None:
    read, blob = reading(source)
    assert b"".join(read.open(offset)) == DATA[offset:]
    assert source.offsets[blob.digest] == [0], "all of it is compared"


@pytest.mark.parametrize("offset", [0, 3500, len(DATA)])
@pytest.mark.parametrize("other", [DATA[:-1], DATA + b"x", b"x" + DATA[1:], DATA[:-1] + b"x", b""])
def test_damage_is_told_in_the_place_of_the_last_bytes(source: Steps, offset: int, other: bytes) -> None:
    read, blob = reading(source)
    source.content[blob.digest] = other
    given: list[bytes] = []
    with pytest.raises(IntegrityError, match=rf"image 'app': its blob {blob.digest} is damaged: expected {len(DATA)} "):
        given.extend(read.open(offset))
    assert len(b"".join(given)) < max(1, len(DATA) - offset)


def test_after_a_cut_it_goes_on_from_what_was_compared(source: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_reading, "_MARKS", 2000)
    meter = RecordingMeter()
    read, blob = reading(source, meter)
    first = read.open(0)
    for _ in range(6):
        next(first)
    first.close()
    assert b"".join(read.open(5500)) == DATA[5500:]
    assert source.offsets[blob.digest] == [0, 4000]
    assert meter.moved == len(DATA), "no byte is counted twice"


def test_a_medium_that_gives_other_bytes_after_a_cut(source: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_reading, "_MARKS", 2000)
    read, blob = reading(source)
    first = read.open(0)
    for _ in range(6):
        next(first)
    first.close()
    source.content[blob.digest] = DATA[:4500] + b"x" + DATA[4501:]
    with pytest.raises(IntegrityError, match="is damaged"):
        list(read.open(5500))


def test_a_medium_that_can_not_be_read(source: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    read, blob = reading(source)

    def broken(*_: object) -> Iterator[bytes]:
        raise OSError(errno.EIO, "whatever")

    monkeypatch.setattr(source, "read", broken)
    with pytest.raises(StorageError, match=rf"image 'app': can't read {blob.digest}: Input/output error") as caught:
        list(read.open(0))
    assert caught.value.hint == "check the medium that the bundle lies on"


def test_it_can_be_stopped(source: Steps) -> None:
    blob = source.put(DATA, "x")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(BlobReading(source, blob, subject="x", meter=RecordingMeter(), check=stop).open(0))
