"""Bytes that come in chunks of anybody's size, read forward in pieces of one's own."""

from collections.abc import Iterator

from bundle.storage.files import CHUNK


class ChunkStream:
    """What the chunks hold, from its start to its end, in memory only by the chunk; `position` counts bytes passed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.position = 0
        self._chunks = chunks
        self._rest = memoryview(b"")

    def chunks(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes, uncopied; fewer at the end."""
        while size > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    return
            chunk, self._rest = self._rest[:size], self._rest[size:]
            size -= len(chunk)
            self.position += len(chunk)
            yield chunk

    def read(self, size: int) -> bytes:
        """The next `size` bytes in one piece; fewer at the end."""
        return b"".join(self.chunks(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes; who checks them on the way does so all the same."""
        for _ in self.chunks(size):
            pass

    def drain(self) -> None:
        """Pass over all that is left, so that it is checked to its end too."""
        while self.read(CHUNK):
            pass
