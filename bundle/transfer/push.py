"""Images from a source to a registry: what is there is skipped, children come before what names them."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Literal, Protocol, TypeVar

from bundle.errors import IntegrityError, RegistryError, StorageError
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.volume import FilePiece
from bundle.transfer.image import ImageSource, Manifest, PlacedSource, walk_manifests
from bundle.transfer.transfers import Transfers

Outcome = Literal["sent", "present", "mounted"]
ReadBlob = Callable[[int], Generator[bytes | FilePiece, None, None]]
"""A blob's bytes from an offset on, as many as it must have; whoever stores them checks that they have its digest."""

T = TypeVar("T")


class ImageSink(Protocol):
    """A place that one image goes to. Used by several threads at once; errors quote the image as the user knows it."""

    def current(self) -> Digest | None:
        """The digest of what the sink's tag names now; None where it names nothing."""

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether a blob or a manifest is there."""

    def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
        """Bring a blob there unless it is, without sending it where the sink can take it from a neighbour."""

    def put_manifest(self, manifest: Manifest, *, tagged: bool) -> None:
        """Store the exact bytes by their digest, or under the sink's tag, where they are looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """What a push did, in bytes of blobs: `pushed` were sent, `present` there already, `mounted` taken from a sibling.

    `changed` is False where the tag already named the image, so that nothing was written.
    """

    root: Descriptor
    pushed: int
    present: int
    mounted: int
    changed: bool


def push_image(
    source: ImageSource, root: Descriptor, sink: ImageSink, *, subject: str, meter: Meter, transfers: Transfers
) -> PushedImage:
    """Bring `root` (its size may be 0 where it is not known) and everything below it to the sink, under its tag.

    Blobs go through `transfers`. A sink refuses bytes that have not the digest it was told (distribution-spec, "Pushing
    blobs"); what it refuses is looked at here, and an IntegrityError names a blob that is damaged. A manifest is stored
    only after what it names, so one that is there already is whole.
    """
    changed = sink.current() != root.digest
    manifests = list(walk_manifests(_loader(source, subject), root, subject))
    missing = [each for each in manifests if not sink.exists(each.descriptor)] if changed else []
    blobs = _blobs(manifests)
    absent = _blobs(missing)
    meter.expect(subject, sum(blob.size for blob in absent.values()), len(absent))
    moved = Counter[Outcome]()
    moved["present"] = sum(blob.size for digest, blob in blobs.items() if digest not in absent)
    guard = threading.Lock()

    def put(blob: Descriptor) -> None:
        reading = _Reading(source, blob, subject=subject, meter=meter, transfers=transfers)
        try:
            outcome = sink.put_blob(blob, reading.open)
        except RegistryError as err:
            if reading.begun and err.status == HTTPStatus.BAD_REQUEST:
                reading.check()
            raise
        if outcome != "sent":
            meter.reuse(subject, blob.size)
        with guard:
            moved[outcome] += blob.size

    transfers.move_all(put, absent.values())
    for manifest in missing:
        if manifest.digest != root.digest:
            sink.put_manifest(manifest, tagged=False)
    if changed:
        sink.put_manifest(manifests[-1], tagged=True)
    return PushedImage(
        root=manifests[-1].descriptor,
        pushed=moved["sent"],
        present=moved["present"],
        mounted=moved["mounted"],
        changed=changed,
    )


def _blobs(manifests: list[Manifest]) -> dict[Digest, Descriptor]:
    return {blob.digest: blob for each in manifests if not each.is_index for blob in each.children()}


def _loader(source: ImageSource, subject: str) -> Callable[[Descriptor], bytes]:
    def load(descriptor: Descriptor) -> bytes:
        try:
            return source.manifest(descriptor)
        except OSError as err:
            raise _unreadable(err, descriptor, subject) from err

    return load


class _Reading:
    """One blob on its way out; told to the meter once, however often it has to be read."""

    def __init__(
        self, source: ImageSource, blob: Descriptor, *, subject: str, meter: Meter, transfers: Transfers
    ) -> None:
        self._source = source
        self._blob = blob
        self._subject = subject
        self._meter = meter
        self._transfers = transfers
        self._told = 0
        self.begun = False

    def open(self, offset: int) -> Generator[bytes | FilePiece, None, None]:
        """The bytes from `offset` on. An IntegrityError where there are more or fewer of them than there must be."""
        self.begun, at = True, offset
        for chunk in self._checked(partial(self._chunks, offset)):
            at += len(chunk)
            if at > self._blob.size:
                break
            try:
                yield chunk
            except GeneratorExit:
                self._look_into(chunk)
                raise
            self._tell(at)
        if at != self._blob.size:
            self.check()

    def check(self) -> None:
        """Read the whole blob; an IntegrityError when it has not its size and digest."""
        hasher, size = self._blob.digest.hasher(), 0
        for chunk in self._checked(partial(self._source.read, self._blob, 0)):
            hasher.update(chunk)
            size += len(chunk)
        if size != self._blob.size or hasher.hexdigest() != self._blob.digest.hex:
            raise IntegrityError(
                f"{self._subject}: its blob {self._blob.digest} is damaged: expected {self._blob.size} bytes, "
                f"found {size} with {self._blob.digest.algorithm}:{hasher.hexdigest()}; it was not pushed",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )

    def _chunks(self, offset: int) -> Iterator[bytes | FilePiece]:
        if isinstance(self._source, PlacedSource):
            return self._source.pieces(self._blob, offset)
        return self._source.read(self._blob, offset)

    def _checked(self, give: Callable[[], Iterator[T]]) -> Iterator[T]:
        with self._explained():
            for chunk in give():
                self._transfers.check()
                yield chunk

    def _look_into(self, chunk: bytes | FilePiece) -> None:
        """After a sending that broke off: an error when it is the file that can't be read, as no attempt mends that."""
        if isinstance(chunk, FilePiece):
            with self._explained():
                found = sum(len(part) for part in chunk.read())
            if found != chunk.size:
                self.check()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            raise _unreadable(err, self._blob, self._subject) from err

    def _tell(self, at: int) -> None:
        if at > self._told:
            self._meter.advance(self._subject, at - self._told)
            self._told = at


def _unreadable(err: OSError, descriptor: Descriptor, subject: str) -> StorageError:
    reason = os.strerror(err.errno) if err.errno else str(err)
    return StorageError(
        f"{subject}: can't read {descriptor.digest}: {reason}", hint="check the medium that the bundle lies on"
    )
