"""Images to a sink: the order of things, what is skipped, what is told, and damage that never gets through."""

import errno
from collections.abc import Iterator

import pytest

from bundle.errors import AirgapError, IntegrityError, RegistryError, SourceError, StorageError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.transfer.image import Manifest
from bundle.transfer.push import Outcome, PushedImage, ReadBlob, push_image
from bundle.transfer.transfers import Transfers
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.fake_images import AMD64, FakeSink, FakeSource

ARM64 = Platform(os="linux", architecture="arm64")
LAYER = b"a layer" * 1000


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


def push(source: FakeSource, sink: FakeSink, meter: RecordingMeter | None = None) -> PushedImage:
    return push_image(
        source, source.resolve(), sink, subject="image 'app'", meter=meter or SilentMeter(), transfers=Transfers(2)
    )


def test_everything_arrives_as_it_is(source: FakeSource, sink: FakeSink) -> None:
    root = source.image(LAYER, b"small")
    meter = RecordingMeter()
    done = push(source, sink, meter)
    assert sink.content == source.content
    assert sink.tag == root.digest == done.root.digest
    assert done.root == root
    assert sink.order == ["blob", "blob", "blob", "tag"]
    assert done.pushed == meter.moved == meter.expected == sum(map(len, sink.content.values())) - root.size


def test_the_size_of_the_root_may_be_unknown(source: FakeSource, sink: FakeSink) -> None:
    root = source.image(LAYER)
    source.root = Descriptor(media_type=root.media_type, digest=root.digest, size=0)
    assert push(source, sink).root == root


def test_an_index_comes_last(source: FakeSource, sink: FakeSink) -> None:
    children = [(source.image(LAYER, bytes([number])), platform) for number, platform in enumerate((AMD64, ARM64))]
    source.index(*children)
    push(source, sink)
    assert sink.content == source.content
    assert sink.order[-3:] == ["manifest", "manifest", "tag"]


def test_a_child_that_is_there_is_whole(source: FakeSource, sink: FakeSink) -> None:
    old = source.image(LAYER)
    push(source, sink)
    source.index((old, AMD64), (source.image(b"new"), ARM64))
    sink.order.clear()
    source.asked.clear()
    done = push(source, sink)
    assert sink.order == ["blob", "manifest", "tag"]
    assert done.present == len(LAYER) + Manifest.parse(source.content[old.digest]).config.size
    assert ("blob", Digest.of(LAYER)) not in source.asked


def test_present_and_mounted_are_told_apart(source: FakeSource, sink: FakeSink) -> None:
    source.image(LAYER, b"there", b"new")
    sink.content[Digest.of(b"there")] = b"there"
    sink.mountable.add(Digest.of(LAYER))
    meter = RecordingMeter()

    class Mounting(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            outcome = FakeSink.put_blob(self, descriptor, read)
            self.content.setdefault(descriptor.digest, LAYER)
            return outcome

    done = push(source, Mounting(content=sink.content, mountable=sink.mountable), meter)
    assert (done.present, done.mounted) == (5, len(LAYER))
    assert meter.reused == 5 + len(LAYER)
    assert meter.moved == done.pushed == meter.expected - meter.reused


def test_what_was_sent_before_is_not_asked_for_and_counts(source: FakeSource, sink: FakeSink) -> None:
    source.image(LAYER, b"new")
    sink.content[Digest.of(LAYER)] = LAYER
    asked: list[Digest] = []

    class Asked(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            asked.append(descriptor.digest)
            return FakeSink.put_blob(self, descriptor, read)

    meter = RecordingMeter()
    done = push_image(
        source, source.resolve(), Asked(content=sink.content), subject="image 'app'", meter=meter,
        transfers=Transfers(1), sent={Digest.of(LAYER), Digest.of(b"of another image")},
    )  # fmt: skip
    assert Digest.of(LAYER) not in asked
    assert (done.pushed, done.present) == (len(LAYER) + meter.moved, 0)


def test_nothing_is_done_twice(source: FakeSource, sink: FakeSink) -> None:
    source.image(LAYER)
    first = push(source, sink)
    sink.order.clear()
    source.asked.clear()
    done = push(source, sink)
    assert (done.changed, done.pushed, done.present) == (False, 0, first.pushed)
    assert not sink.order
    assert not [what for what, _ in source.asked if what == "blob"]


@pytest.mark.parametrize("offset", [1, 3500, len(LAYER) - 1, len(LAYER)])
def test_what_a_sink_has_is_compared_and_not_sent_again(source: FakeSource, offset: int) -> None:
    source.image(LAYER)
    parts: list[bytes] = []

    class Resuming(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            if descriptor.digest != Digest.of(LAYER):
                return FakeSink.put_blob(self, descriptor, read)
            parts.extend(read(offset))
            self.content[descriptor.digest] = LAYER
            return "sent"

    push(source, Resuming())
    assert b"".join(parts) == LAYER[offset:]
    assert source.offsets[Digest.of(LAYER)] == [0]


def test_bytes_that_are_read_again_are_told_once(source: FakeSource) -> None:
    source.image(LAYER)

    class Forward(RecordingMeter):
        def advance(self, subject: str, size: int) -> None:
            assert size > 0
            RecordingMeter.advance(self, subject, size)

    class Twice(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            b"".join(read(0))
            return FakeSink.put_blob(self, descriptor, read)

    meter = Forward()
    push(source, Twice(), meter)
    assert meter.moved == meter.expected


DAMAGE = {"short": LAYER[:-1], "long": LAYER + b"x", "changed": b"x" + LAYER[1:], "empty": b""}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("step", [1, 1000, 100_000])
def test_a_damaged_blob_is_told_and_its_image_is_not(
    source: FakeSource, sink: FakeSink, name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.image(LAYER)

    def in_steps(descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        data = DAMAGE[name] if descriptor.digest == Digest.of(LAYER) else source.content[descriptor.digest]
        yield from (data[at : at + step] for at in range(offset, len(data), step))

    monkeypatch.setattr(source, "read", in_steps)
    with pytest.raises(IntegrityError) as caught:
        push(source, sink)
    assert caught.value.what.startswith(f"image 'app': its blob {Digest.of(LAYER)} is damaged: expected {len(LAYER)} ")
    assert Digest.of(LAYER) not in sink.content
    assert sink.tag is None


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_refusal_before_anything_was_sent_comes_through(source: FakeSource, status: int) -> None:
    source.image(LAYER)

    class Refusing(FakeSink):
        def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
            raise RegistryError("in the registry's own words", status=status)

    with pytest.raises(RegistryError, match="in the registry's own words"):
        push(source, Refusing())
    assert not source.offsets, "read in order to find out about a refusal that came before any byte was sent"


def test_a_medium_that_can_not_be_read(source: FakeSource, sink: FakeSink, monkeypatch: pytest.MonkeyPatch) -> None:
    source.image(LAYER)

    def broken(*_: object) -> Iterator[bytes]:
        raise OSError(errno.EIO, "whatever")

    monkeypatch.setattr(source, "read", broken)
    with pytest.raises(AirgapError, match=r"image 'app': can't read sha256:[0-9a-f]{64}: Input/output error"):
        push(source, sink)
    monkeypatch.setattr(source, "manifest", broken)
    with pytest.raises(StorageError, match="image 'app': can't read"):
        push(source, sink)


def test_what_is_no_manifest(source: FakeSource, sink: FakeSink) -> None:
    source.root = source.put(b"{}", media_types.OCI_MANIFEST)
    with pytest.raises(SourceError, match="image 'app': "):
        push(source, sink)


# Charts.
