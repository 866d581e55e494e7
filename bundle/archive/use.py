"""Using the bytes of a bundle in the reading that compares them: whoever uses them gets the last when all are good."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bundle.oci.digest import Digest

_ANY = Digest.of(b"")  # for its algorithm, where nobody says what the bytes must be


class Consumer(Protocol):
    """Takes the bytes of one file, or of one blob in a file, in their order."""

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes."""

    def end(self, *, good: bool) -> None:
        """No more will come: all were given and are as they must be, or the last of them were kept back."""


class Compared:
    """Bytes that are compared with a digest while they are used; what is given last waits for the result."""

    def __init__(self, expected: Digest | None = None, use: Consumer | None = None) -> None:
        self._expected = expected or _ANY
        self._hasher = self._expected.hasher()
        self._use = use
        self._held: bytes | memoryview = b""

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self._hasher.update(data)
        if self._use:
            if self._held:
                self._use.take(self._held)
            self._held = data

    def end(self) -> Digest:
        """What all of them have; who uses them is given the last, or told that they are not good."""
        found = Digest(algorithm=self._expected.algorithm, hex=self._hasher.hexdigest())
        if self._use:
            if found == self._expected and self._held:
                self._use.take(self._held)
            self._use.end(good=found == self._expected)
        return found

    def cut(self) -> None:
        """They can't be read to their end."""
        if self._use:
            self._use.end(good=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A blob in a file: where it starts, its size in bytes, the digest it must have, and who uses it."""

    start: int
    size: int
    digest: Digest
    use: Consumer


class Contained:
    """The Consumer of a file that holds blobs (an image's own tar): each is compared for itself."""

    def __init__(self, blobs: Sequence[Within]) -> None:
        self._left = sorted(blobs, key=lambda each: each.start, reverse=True)
        self._at = 0
        self._begun: Compared | None = None

    def take(self, data: bytes | memoryview) -> None:
        """The next bytes of the file."""
        end = self._at + len(data)
        while self._left and self._left[-1].start < end:
            blob = self._left[-1]
            stop = blob.start + blob.size
            if self._begun is None:
                self._begun = Compared(blob.digest, blob.use)
            self._begun.take(data[max(0, blob.start - self._at) : stop - self._at])
            if stop > end:
                break
            self._begun.end()
            self._begun = None
            self._left.pop()
        self._at = end

    def end(self, *, good: bool) -> None:
        """No more will come: what has not come whole by now never will."""
        del good  # each blob was compared with its own digest
        if self._begun:
            self._begun.cut()
            self._left.pop()
        for blob in self._left:
            blob.use.end(good=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the files of a bundle are gone through.

    `begin` gives what is to get a file's bytes, by its name. What `passes_over` says of (name, size) is not read: it is
    there, and that is all that is asked. `check` is called now and then, and raises to stop. A directory's files are
    read by so many `readers` at once, the largest first; an archive has one.
    """

    begin: Callable[[str], Compared] = lambda _: Compared()
    passes_over: Callable[[str, int], bool] | None = None
    check: Callable[[], None] = lambda: None
    readers: int = min(8, os.cpu_count() or 1)

    def skips(self, name: str, size: int) -> bool:
        """Whether a file is not to be read."""
        return self.passes_over is not None and self.passes_over(name, size)
