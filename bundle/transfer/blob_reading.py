"""One blob on its way out of a source: compared with its digest while it is read, however often that is."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from bundle.errors import IntegrityError, StorageError
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.transfer.image import ImageSource

_MARKS = 64 * 1024 * 1024  # bytes between the places that a later reading can begin at


class BlobReading:
    """Told to the meter once. A reading that goes on behind a cut begins where an earlier one has compared all before.

    `check` is called now and then, and raises to stop.
    """

    def __init__(
        self, source: ImageSource, blob: Descriptor, *, subject: str, meter: Meter, check: Callable[[], None]
    ) -> None:
        self._source = source
        self._blob = blob
        self._subject = subject
        self._meter = meter
        self._check = check
        self._told = 0
        self._marks: list[tuple[int, Any]] = [(0, blob.digest.hasher())]

    def open(self, offset: int) -> Generator[bytes]:
        """The bytes from `offset` on. In the place of the last an IntegrityError, where all are not what they must be.

        StorageError where the medium can't be read.
        """
        at, state = max((mark for mark in self._marks if mark[0] <= offset), key=lambda mark: mark[0])
        hasher, held = state.copy(), b""
        for chunk in self._read(at):
            start, at = at, at + len(chunk)
            if held and at <= self._blob.size:
                yield held
                self.tell(start)
            held = chunk[max(0, offset - start) :]
            hasher.update(chunk)
            if at - self._marks[-1][0] >= _MARKS:
                self._marks.append((at, hasher.copy()))
        if at != self._blob.size or hasher.hexdigest() != self._blob.digest.hex:
            raise IntegrityError(
                f"{self._subject}: its blob {self._blob.digest} is damaged: expected {self._blob.size} bytes, "
                f"found {at} with {self._blob.digest.algorithm}:{hasher.hexdigest()}; it was not pushed",
                hint="run `doit verify` to see what is damaged, and carry that over again",
            )
        if held:
            yield held
            self.tell(at)

    def tell(self, at: int) -> None:
        """Everything before `at` was sent."""
        if at > self._told:
            self._meter.advance(self._subject, at - self._told)
            self._told = at

    def _read(self, at: int) -> Iterator[bytes]:
        with self._explained():
            for chunk in self._source.read(self._blob, at):
                self._check()
                yield chunk

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            raise unreadable(err, self._blob, self._subject) from err


def unreadable(err: OSError, descriptor: Descriptor, subject: str) -> StorageError:
    """What is told of a blob or a manifest that the medium does not give."""
    reason = os.strerror(err.errno) if err.errno else str(err)
    return StorageError(
        f"{subject}: can't read {descriptor.digest}: {reason}", hint="check the medium that the bundle lies on"
    )
