"""Blobs that are sent as they are read: each once, none that is damaged, and what fails stops the reading."""

import threading
from collections.abc import Iterator

import pytest

from bundle.archive.use import Compared
from bundle.errors import IntegrityError, ProblemsError, RegistryError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.courier import Courier, Wanted
from bundle.transfer.push import Outcome, ReadBlob
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.fake_images import FakeSink, FakeSource

BLOBS = [bytes([number]) * size for number, size in enumerate((0, 1, 5000, 70_000))]
STEP = 1000


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


def nothing() -> None:
    pass


def courier(
    source: FakeSource,
    sink: FakeSink,
    meter: RecordingMeter | None = None,
    *,
    jobs: int = 2,
    blobs: list[bytes] = BLOBS,
) -> Courier:
    wanted = [
        Wanted(blob=source.put(data, "x"), sink=sink, source=source, image=f"i{number}")
        for number, data in enumerate(blobs)
    ]
    return Courier(
        {each.blob.digest: each for each in wanted}, jobs=jobs, meter=meter or RecordingMeter(), stopped=nothing
    )


def read(made: Courier, data: bytes, really: bytes | None = None) -> None:
    """One blob comes by; the medium gives `really` for it."""
    compared = Compared(Digest.of(data), made.use(Digest.of(data)))
    given = data if really is None else really
    for at in range(0, len(given), STEP):
        made.check()
        compared.take(given[at : at + STEP])
    compared.end()


@pytest.mark.parametrize("jobs", [1, 3])
def test_everything_wanted_arrives(source: FakeSource, sink: FakeSink, meter: RecordingMeter, jobs: int) -> None:
    made = courier(source, sink, meter, jobs=jobs)
    for data in (*BLOBS, b"nobody wants it"):
        read(made, data)
    made.close()
    assert sorted(sink.content.values()) == sorted(BLOBS)
    assert meter.moved == meter.expected == sum(map(len, BLOBS))
    assert {each.image for each in made.moved["sent"]} == {"i0", "i1", "i2", "i3"}
    assert not source.offsets, "nothing is read again"


def test_it_is_taken_once(source: FakeSource, sink: FakeSink) -> None:
    made = courier(source, sink)
    read(made, BLOBS[2])
    assert made.use(Digest.of(BLOBS[2])) is None
    made.close()


def test_what_the_sink_has_by_now_is_passed_over(source: FakeSource, sink: FakeSink, meter: RecordingMeter) -> None:
    made = courier(source, sink, meter)
    sink.content[Digest.of(BLOBS[3])] = BLOBS[3]
    sink.mountable.add(Digest.of(BLOBS[2]))
    for data in BLOBS:
        read(made, data)
    made.close()
    assert [each.image for each in made.moved["present"]] == ["i3"]
    assert [each.image for each in made.moved["mounted"]] == ["i2"]
    assert meter.reused == 75_000


@pytest.mark.parametrize("really", [BLOBS[3][:-1], BLOBS[3][:-1] + b"x", BLOBS[3] + b"x", b""])
def test_a_damaged_one_is_not_sent_and_none_after_it(source: FakeSource, sink: FakeSink, really: bytes) -> None:
    made = courier(source, sink)
    read(made, BLOBS[1])
    read(made, BLOBS[3], really)
    read(made, BLOBS[2])
    made.close()
    assert list(sink.content.values()) == [BLOBS[1]]


def test_a_refusal_stops_the_reading(source: FakeSource) -> None:
    class Refusing(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            next(read(0))
            raise RegistryError("image 'i3': denied", status=401)

    made = courier(source, Refusing(), jobs=1)
    read_with_patience(made, BLOBS[3])
    with pytest.raises(RegistryError, match="denied"):
        made.close()
    with pytest.raises(RegistryError, match="denied"):
        read(made, BLOBS[2])


def test_several_refusals_are_told_together(source: FakeSource) -> None:
    both = threading.Barrier(2)

    class Refusing(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            both.wait(5)
            raise RegistryError(f"{descriptor.size} bytes: denied", status=401)

    made = courier(source, Refusing())
    for data in BLOBS[1:3]:
        read_with_patience(made, data)
    with pytest.raises(ProblemsError, match=r"(?s)2 transfers failed.*denied.*denied"):
        made.close()


def read_with_patience(made: Courier, data: bytes) -> None:
    """As `read`, by somebody who does not ask what has failed."""
    compared = Compared(Digest.of(data), made.use(Digest.of(data)))
    compared.take(data)
    compared.end()


class Cutting(FakeSink):
    """Loses the connection once, after a few bytes."""

    def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
        first: Iterator[bytes] = read(0)
        next(first)
        first.close()  # type: ignore[attr-defined]
        return FakeSink.put_blob(self, descriptor, read)


def test_after_a_cut_it_is_read_and_compared_again(source: FakeSource, meter: RecordingMeter) -> None:
    sink = Cutting()
    made = courier(source, sink, meter)
    read(made, BLOBS[3])
    made.close()
    assert list(sink.content.values()) == [BLOBS[3]]
    assert source.offsets[Digest.of(BLOBS[3])] == [0]


def test_a_medium_that_gives_other_bytes_the_second_time(source: FakeSource) -> None:
    sink = Cutting()
    made = courier(source, sink)
    source.content[Digest.of(BLOBS[3])] = b"x" + BLOBS[3][1:]
    read_with_patience(made, BLOBS[3])
    with pytest.raises(IntegrityError, match=rf"image 'i3': its blob {Digest.of(BLOBS[3])} is damaged"):
        made.close()
    assert not sink.content


def test_when_the_reading_breaks_off_uploads_are_given_up(source: FakeSource, sink: FakeSink) -> None:
    made = courier(source, sink)
    use = made.use(Digest.of(BLOBS[3]))
    assert use
    use.take(BLOBS[3][:STEP])
    made.abort()
    assert not sink.content
    assert not [thread for thread in threading.enumerate() if thread.name == "courier"]


def test_a_stopped_run_stops_the_reading(source: FakeSource, sink: FakeSink) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    made = Courier({}, jobs=1, meter=RecordingMeter(), stopped=stop)
    with pytest.raises(KeyboardInterrupt):
        made.check()
