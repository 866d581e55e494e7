"""Images from a source to a registry: what is there is skipped, children come before what names them."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from typing import Literal, Protocol

from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.blob_reading import BlobReading, unreadable
from bundle.transfer.image import ImageSource, Manifest, walk_manifests
from bundle.transfer.transfers import Transfers

Outcome = Literal["sent", "present", "mounted"]
ReadBlob = Callable[[int], Generator[bytes | memoryview]]
"""A blob's bytes from an offset on, as many as it must have; in the place of the last an IntegrityError where all of
them have not its digest."""


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
    source: ImageSource,
    root: Descriptor,
    sink: ImageSink,
    *,
    subject: str,
    meter: Meter,
    transfers: Transfers,
    sent: Collection[Digest] = (),
) -> PushedImage:
    """Bring `root` (its size may be 0 where it is not known) and everything below it to the sink, under its tag.

    Blobs go through `transfers`, and are compared with their digests on the way; an IntegrityError names one that is
    damaged. A manifest is stored only after what it names, so one that is there already is whole. Blobs that
    were `sent` there before, in the same run, are not asked for, and count as pushed.
    """
    changed = sink.current() != root.digest
    manifests = list(walk_manifests(_loader(source, subject), root, subject))
    missing = [each for each in manifests if not sink.exists(each.descriptor)] if changed else []
    blobs = _blobs(manifests)
    absent = {digest: blob for digest, blob in _blobs(missing).items() if digest not in sent}
    meter.expect(subject, sum(blob.size for blob in absent.values()), len(absent))
    moved = Counter[Outcome]()
    moved["sent"] = sum(blob.size for digest, blob in blobs.items() if digest in sent)
    moved["present"] = sum(blob.size for digest, blob in blobs.items() if digest not in {*absent, *sent})
    guard = threading.Lock()

    def put(blob: Descriptor) -> None:
        reading = BlobReading(source, blob, subject=subject, meter=meter, check=transfers.check)
        outcome = sink.put_blob(blob, reading.open)
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
            raise unreadable(err, descriptor, subject) from err

    return load
