"""Bytes from the thread that reads and compares them to the one that sends them, a few chunks ahead at most."""

import threading
from collections import deque
from collections.abc import Generator

from bundle.errors import IntegrityError

_AHEAD = 3  # chunks


class SpoiltError(IntegrityError):
    """What is being sent was found damaged while it was read; whoever reads says of what file it is, and how."""


class Handover:
    """A Consumer whose `size` bytes are taken out by another thread. Nobody waits for a thread that has gone."""

    def __init__(self, subject: str, size: int) -> None:
        self._subject = subject
        self._left = size
        self._last: bytes | memoryview = b""  # what makes it whole, until it is known to be good
        self._chunks: deque[bytes | memoryview] = deque()
        self._changed = threading.Condition()
        self._ended: bool | None = None  # whether all was good
        self._abandoned = False

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes; waits while many are ahead. Without a taker they are dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._chunks) < _AHEAD)
            self._left -= len(data)
            if self._left > 0 and not self._abandoned:
                self._chunks.append(data)
                self._changed.notify_all()
            elif self._left == 0:
                self._last = data

    def end(self, *, good: bool) -> None:
        """No more will come."""
        with self._changed:
            if self._ended is None:
                self._ended = good and self._left == 0
                if self._ended and self._last and not self._abandoned:
                    self._chunks.append(self._last)
            self._changed.notify_all()

    def chunks(self) -> Generator[bytes | memoryview]:
        """The bytes as they come, once; a SpoiltError in the place of the last where they are not good."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._chunks or self._ended is not None)
                    if not self._chunks:
                        break
                    chunk = self._chunks.popleft()
                    self._changed.notify_all()
                yield chunk
            if not self._ended:
                raise SpoiltError(f"{self._subject} is damaged; it was not sent")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nobody takes any more."""
        with self._changed:
            self._abandoned = True
            self._chunks.clear()
            self._changed.notify_all()
