"""Bytes from the thread that reads and compares them to the one that sends them, a few chunks ahead at most."""

import threading
from collections import deque
from collections.abc import Generator

from bundle.errors import IntegrityError

_AHEAD = 3  # chunks of one handover


class ReadAhead:
    """Memory for what is read beyond that, `spare` bytes that several handovers share.

    Who reads an archive gets to the next blob while the last one is still being sent.
    """

    def __init__(self, spare: int = 0) -> None:
        self.spare = spare
        self.changed = threading.Condition()


class SpoiltError(IntegrityError):
    """What is being sent was found damaged while it was read; whoever reads says of what file it is, and how."""


class Handover:
    """A Consumer whose `size` bytes are taken out by another thread. Nobody waits for a thread that has gone."""

    def __init__(self, subject: str, size: int, room: ReadAhead | None = None) -> None:
        self._subject = subject
        self._left = size
        self._last: bytes | memoryview = b""  # what makes it whole, until it is known to be good
        self._chunks: deque[tuple[bytes | memoryview, int]] = deque()  # each with how much of the room it takes
        self._room = room or ReadAhead()
        self._changed = self._room.changed
        self._ended: bool | None = None  # whether all was good
        self._abandoned = False

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes; waits while many are ahead. Without a taker they are dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._lacks(data) <= self._room.spare)
            self._left -= len(data)
            if self._left > 0 and not self._abandoned:
                self._append(data, self._lacks(data))
                self._changed.notify_all()
            elif self._left == 0:
                self._last = data

    def end(self, *, good: bool) -> None:
        """No more will come."""
        with self._changed:
            if self._ended is None:
                self._ended = good and self._left == 0
                if self._ended and self._last and not self._abandoned:
                    self._append(self._last, 0)
            self._changed.notify_all()

    def chunks(self) -> Generator[bytes | memoryview]:
        """The bytes as they come, once; a SpoiltError in the place of the last where they are not good."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._chunks or self._ended is not None)
                    if not self._chunks:
                        break
                    chunk, borrowed = self._chunks.popleft()
                    self._room.spare += borrowed
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
            self._room.spare += sum(borrowed for _, borrowed in self._chunks)
            self._chunks.clear()
            self._changed.notify_all()

    def _lacks(self, data: bytes | memoryview) -> int:
        """How much of the room these bytes need: none for the first few chunks, so that none waits for another's."""
        return 0 if len(self._chunks) < _AHEAD else len(data)

    def _append(self, data: bytes | memoryview, borrowed: int) -> None:
        self._chunks.append((data, borrowed))
        self._room.spare -= borrowed
