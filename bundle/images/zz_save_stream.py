"""What a Docker Engine saves, kept while it streams by: its layers go straight into the blob cache.

Nothing is written twice and no second copy of an image is needed on the way. What comes out is a tree of the archive's
files, as bundle/save_source.py reads it.
"""

from collections.abc import Iterator, Mapping

from bundle.errors import FormatError, SourceError
from bundle.oci.descriptor import Descriptor
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import CHUNK
from bundle.storage.tar_reader import Member, members
from bundle.storage.tree import Files, followed

_SMALL = 64 * 1024  # bytes; what describes an image is kept in memory, its layers are not


def keep_saved(chunks: Iterator[bytes], store: BlobStore, *, subject: str) -> Files:
    """Read a `docker save` stream to its end, keep its large files as blobs, and return all its files.

    `subject` is the image as the user wrote it. A stream that is cut off or no tar is a SourceError.
    """
    stream = _Chunks(chunks)
    entries: dict[str, Member] = {}
    small: dict[str, bytes] = {}
    large: dict[str, Descriptor] = {}
    try:
        for member in members(stream):
            entries[member.name] = member
            if member.kind != "file":
                continue
            if member.size <= _SMALL:
                small[member.name] = stream.read(member.size)
            else:
                pieces = stream.pieces(member)
                large[member.name] = store.add(pieces, subject=f"{member.name!r} of {subject}")
    except FormatError as err:
        raise SourceError(
            f"{subject}: what the Docker Engine saved can't be read: {err.what}",
            hint="run the same command again; if it comes back, look into the Engine's log",
        ) from err
    return _KeptTree(entries, small, large, store)


class _KeptTree:
    """The files of an archive that went by."""

    def __init__(
        self,
        entries: Mapping[str, Member],
        small: Mapping[str, bytes],
        large: Mapping[str, Descriptor],
        store: BlobStore,
    ) -> None:
        self._entries = entries
        self._small = small
        self._large = large
        self._store = store

    def size(self, name: str) -> int:
        """The file's size in bytes."""
        return followed(self._entries, name).size

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on."""
        place = followed(self._entries, name).name
        if place in self._large:
            yield from self._store.read(self._large[place], offset)
        else:
            yield self._small[place][offset:]


class _Chunks:
    """A stream of pieces, read by size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.position = 0
        self._chunks = chunks
        self._held = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        return b"".join(self._take(size))

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        for _ in self._take(size):
            pass

    def pieces(self, member: Member) -> Iterator[bytes]:
        """A member's bytes; a FormatError where the stream ends too early."""
        left = member.size
        for piece in self._take(member.size):
            left -= len(piece)
            yield piece
        if left:
            raise FormatError(f"tar is cut off inside {member.name!r}")

    def _take(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._held:
                self._held = memoryview(next(self._chunks, b""))
                if not self._held:
                    return
            piece = bytes(self._held[: min(size, CHUNK)])
            self._held = self._held[len(piece) :]
            self.position += len(piece)
            size -= len(piece)
            yield piece
