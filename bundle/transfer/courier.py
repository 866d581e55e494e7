"""Sends blobs while they are read: each goes to its sink as it comes by, in the reading that compares it."""

import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from bundle.errors import AirgapError, ProblemsError
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.blob_reading import BlobReading
from bundle.transfer.handover import Handover, ReadAhead, SpoiltError
from bundle.transfer.image import ImageSource
from bundle.transfer.push import ImageSink, Outcome

AHEAD = 32 * 1024 * 1024  # bytes that may be read and not yet sent, besides a few chunks of each blob
_PATIENCE = 10.0  # seconds for what is under way, once something has failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A blob that a sink lacks. `source` is where it is read once more after a cut; `image` needs it."""

    blob: Descriptor
    sink: ImageSink
    source: ImageSource
    image: str


class Courier:
    """Sends what is `wanted`, at most `jobs` blobs at once, each by a thread of its own.

    A blob that is damaged, or whose medium fails, is not sent to its end, and none is begun after it. What a registry
    refuses is raised by `check` and `close`. After a cut a blob is read again from its source, and compared again.
    """

    def __init__(
        self, wanted: Mapping[Digest, Wanted], *, jobs: int, meter: Meter, stopped: Callable[[], None]
    ) -> None:
        """`stopped` raises when the run is being stopped."""
        self.moved: dict[Outcome, list[Wanted]] = {"sent": [], "present": [], "mounted": []}
        self._wanted = dict(wanted)
        self._meter = meter
        self._stopped = stopped
        self._free = threading.Semaphore(jobs)
        self._room = ReadAhead(AHEAD)
        self._guard = threading.Lock()
        self._senders: list[tuple[threading.Thread, Handover]] = []
        self._errors: list[BaseException] = []
        self._spoilt = False
        for each in wanted.values():
            meter.expect(_subject(each), each.blob.size, 1)

    def use(self, digest: Digest) -> "Carrying | None":
        """Who takes the bytes of a blob that comes by: None where it is not wanted, or was taken already."""
        with self._guard:
            wanted = self._wanted.pop(digest, None)
        return Carrying(self, wanted) if wanted else None

    def begin(self, wanted: Wanted) -> Handover | None:
        """Begin to send, once there is a thread for it; None where nothing is sent any more."""
        while not self._free.acquire(timeout=0.2):
            self.check()
        with self._guard:
            if self._spoilt or self._errors:
                self._free.release()
                return None
            feed = Handover(f"{_subject(wanted)}: its blob {wanted.blob.digest}", wanted.blob.size, self._room)
            thread = threading.Thread(target=self._send, args=(wanted, feed), name="courier", daemon=True)
            self._senders.append((thread, feed))
        thread.start()
        return feed

    def spoil(self) -> None:
        """Something is damaged: nothing more is begun, as no image will be named."""
        self._spoilt = True

    def check(self) -> None:
        """Raise what has failed by now."""
        self._stopped()
        errors = {str(error): error for error in self._errors}
        unexpected = [error for error in errors.values() if not isinstance(error, AirgapError)]
        if unexpected or len(errors) == 1:
            raise (unexpected or list(errors.values()))[0]
        if errors:
            raise ProblemsError(f"{len(errors)} transfers failed", list(errors)) from next(iter(errors.values()))

    def close(self) -> None:
        """Wait for what is under way, and raise what has failed."""
        for thread, _ in self._senders:
            while thread.is_alive():
                thread.join(0.2)
                self._stopped()
        self.check()

    def abort(self) -> None:
        """What is read has broken off: uploads that are under way are given up."""
        self.spoil()
        for _, feed in self._senders:
            feed.end(good=False)
        until = time.monotonic() + _PATIENCE
        for thread, _ in self._senders:
            thread.join(max(0.0, until - time.monotonic()))

    def _send(self, wanted: Wanted, feed: Handover) -> None:
        subject = _subject(wanted)
        again = BlobReading(wanted.source, wanted.blob, subject=subject, meter=self._meter, check=self._stopped)
        fed = [feed]

        def read(offset: int) -> Generator[bytes | memoryview]:
            if not fed:
                yield from again.open(offset)
                return
            at = 0
            for chunk in fed.pop().chunks():
                yield chunk
                at += len(chunk)
                again.tell(at)

        try:
            outcome = wanted.sink.put_blob(wanted.blob, read)
            if outcome != "sent":
                self._meter.reuse(subject, wanted.blob.size)
            with self._guard:
                self.moved[outcome].append(wanted)
        except SpoiltError:
            self._spoilt = True
        except BaseException as err:  # carried over to the thread that reads
            with self._guard:
                self._errors.append(err)
        finally:
            feed.abandon()
            self._free.release()


class Carrying:
    """The Consumer of one wanted blob: its sender begins when its first bytes come."""

    def __init__(self, courier: Courier, wanted: Wanted) -> None:
        self._courier = courier
        self._wanted = wanted
        self._feed: Handover | None = None
        self._begun = False

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self._begin()
        if self._feed:
            self._feed.take(data)

    def end(self, *, good: bool) -> None:
        """No more will come."""
        if good:
            self._begin()
        else:
            self._courier.spoil()
        if self._feed:
            self._feed.end(good=good)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._feed = self._courier.begin(self._wanted)


def _subject(wanted: Wanted) -> str:
    return f"image {wanted.image!r}"
