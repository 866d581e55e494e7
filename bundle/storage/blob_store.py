"""The blob cache: content-addressed files, verified once while they are written and cheaply whenever they are reused.

A blob that was verified carries a modification time derived from its digest. Whoever changes the file changes that
time, so a reuse needs one stat; a blob without the mark (restored from a backup, say) is hashed once and marked again.

A fetched blob is not yet forced onto the disk: its mark holds until the next boot only, since a crash of the machine
may lose its bytes. `settle` syncs it and makes the mark lasting.
"""

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.errors import IntegrityError, storage_errors
from bundle.meter import Meter, SilentMeter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest, Hasher
from bundle.storage.files import CHUNK, lock, make_directories, release, reserve, writing
from bundle.storage.marks import SECOND, Identity, identity_of, is_marked, mark, mark_until_reboot

_BLOCK = 512  # bytes, of which stat counts a file's; some may be set aside for what is still to come

Read = Callable[[int], Iterator[bytes]]
"""Gives a blob's bytes from an offset on."""


class BlobStore:
    """Blobs below one directory, `blobs/<algorithm>/<hex>`; half-fetched ones in `partial/`.

    Safe for any number of threads and processes: a blob is fetched by one at a time, the others wait and reuse it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._guards: dict[Digest, threading.Lock] = defaultdict(threading.Lock)
        self._adding = threading.Lock()
        self._came_in: dict[Digest, Identity] = {}

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self.root / "blobs" / digest.algorithm / digest.hex

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here and marked as verified. One stat, no reading."""
        return is_marked(self.path(descriptor.digest), descriptor)

    def lack(self, descriptor: Descriptor) -> int:
        """How many bytes of the disk the blob will take yet: none when it is here, less when it is half-fetched."""
        if self.path(descriptor.digest).exists():
            return 0
        try:
            begun = self._partial_path(descriptor.digest).stat()
        except FileNotFoundError:
            return descriptor.size
        return max(0, descriptor.size - max(begun.st_size, begun.st_blocks * _BLOCK))

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here and good; hashes it when it has lost its mark, and removes it when it is damaged."""
        if self.holds(descriptor):
            return True
        path = self.path(descriptor.digest)
        if not path.exists():
            return False
        if path.stat().st_size == descriptor.size and hash_file(path, descriptor.digest) == descriptor.digest.hex:
            mark(path, descriptor.digest)
            return True
        path.unlink(missing_ok=True)
        return False

    def is_as_it_came(self, digest: Digest, handle: int) -> bool:
        """Whether an open file is the blob that came in, and was hashed, in this process, and was not changed since."""
        return self._came_in.get(digest) == identity_of(os.fstat(handle))

    def settle(self, descriptor: Descriptor) -> None:
        """Force a blob that is here onto the disk and make its mark lasting; does nothing when that was done."""
        path = self.path(descriptor.digest)
        if is_marked(path, descriptor) and path.stat().st_mtime_ns % SECOND:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            mark(path, descriptor.digest)

    def find(self, digest: Digest, media_type: str) -> Descriptor | None:
        """The descriptor of a blob whose size is not known, if it is here and good; see `has`."""
        try:
            size = self.path(digest).stat().st_size
        except FileNotFoundError:
            return None
        descriptor = Descriptor(media_type=media_type, digest=digest, size=size)
        return descriptor if self.has(descriptor) else None

    def fetch(self, descriptor: Descriptor, read: Read, *, subject: str, meter: Meter | None = None) -> bool:
        """Make sure the blob is here: reuse it, or take it from `read`, continuing a half-fetched one.

        Returns whether bytes were moved. Bytes that do not hash to the digest are thrown away and fetched once more
        from the start; when they are wrong again, an IntegrityError says so and nothing is kept.
        """
        meter = meter or SilentMeter()
        with self._guards[descriptor.digest]:
            if self.has(descriptor):
                meter.reuse(subject, descriptor.size)
                return False
            with storage_errors(f"store a blob of {subject}", self.root), self._partial(descriptor.digest) as part:
                if self.has(descriptor):
                    meter.reuse(subject, descriptor.size)
                    return False
                self._obtain(part, descriptor.digest, descriptor.size, read, subject=subject, meter=meter)
        return True

    def fetch_unsized(self, digest: Digest, read: Read, *, subject: str, meter: Meter | None = None) -> bool:
        """As `fetch`, for a blob whose source does not tell its size: it is complete when it has its digest."""
        meter = meter or SilentMeter()
        with self._guards[digest]:
            if self._reuse(digest, subject, meter):
                return False
            with storage_errors(f"store a blob of {subject}", self.root), self._partial(digest) as part:
                if self._reuse(digest, subject, meter):
                    return False
                self._obtain(part, digest, None, read, subject=subject, meter=meter)
        return True

    def put(self, data: bytes) -> Digest:
        """Store a small blob (a manifest, a config) and return its digest."""
        digest = Digest.of(data)
        path = self.path(digest)
        with storage_errors("store a blob", self.root):
            if not path.exists() or path.read_bytes() != data:
                with writing(path, mode=0o444) as file:
                    file.write(data)
                mark(path, digest)
        return digest

    def add(self, chunks: Iterator[bytes], *, subject: str) -> Descriptor:
        """Store a blob whose digest only its bytes tell, and return that and its size, without a media type.

        `subject` says what it is, unlike that of any other blob that comes in meanwhile; a half-stored one is not kept.
        """
        place = Digest.of(subject.encode())
        hasher, size = hashlib.sha256(), 0
        with storage_errors(f"store {subject}", self.root), self._partial(place) as part:
            os.ftruncate(part, 0)
            for chunk in chunks:
                hasher.update(chunk)
                _write_all(part, chunk)
                size += len(chunk)
            found = Descriptor(media_type="", digest=Digest(algorithm="sha256", hex=hasher.hexdigest()), size=size)
            with self._adding:  # one that is there already stays the file it is: others may be linked to it
                if self.holds(found):
                    self._partial_path(place).unlink()
                else:
                    self._commit(part, found.digest, place)
        return found

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of a small blob; None when it is absent or damaged."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            return None
        return data if digest.matches(data) else None

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on."""
        with self.path(descriptor.digest).open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def _partial_path(self, digest: Digest) -> Path:
        return self.root / "partial" / f"{digest.algorithm}-{digest.hex}"

    @contextmanager
    def _partial(self, digest: Digest) -> Iterator[int]:
        """The half-fetched file of a blob, locked against other processes. Empty when none was begun."""
        path = self._partial_path(digest)
        make_directories(path.parent)
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                lock(handle, path)
                if _still_named(handle, path):
                    yield handle
                    return
            finally:
                os.close(handle)

    def _reuse(self, digest: Digest, subject: str, meter: Meter) -> bool:
        found = self.find(digest, "")
        if found:
            meter.reuse(subject, found.size)
        return found is not None

    def _obtain(self, part: int, digest: Digest, size: int | None, read: Read, *, subject: str, meter: Meter) -> None:
        """Complete the half-fetched file, from the start where need be, and give it its name."""
        if not self._fill(part, digest, size, read, subject=subject, meter=meter):
            meter.say(subject, f"{digest} came in damaged, fetching it again")
            os.ftruncate(part, 0)
            if not self._fill(part, digest, size, read, subject=subject, meter=meter):
                os.ftruncate(part, 0)
                told = "" if size is None else f" ({size} bytes)"
                raise IntegrityError(
                    f"{subject}: a blob does not have its digest {digest}{told}",
                    hint="the source or something between it and here changes bytes; nothing was kept",
                )
        self._commit(part, digest, digest)

    def _fill(self, part: int, digest: Digest, size: int | None, read: Read, *, subject: str, meter: Meter) -> bool:
        """Bring the half-fetched file to its full size (None: until it ends); False when the bytes turn out wrong."""
        hasher = digest.hasher()
        have = _rehash(part, hasher, limit=size)
        if have:
            meter.say(subject, f"continuing {digest} at byte {have}" + ("" if size is None else f" of {size}"))
            meter.reuse(subject, have)
        complete = hasher.hexdigest() == digest.hex if size is None else have == size
        try:
            if size and not complete:
                reserve(part, size, self._partial_path(digest))
            for chunk in () if complete else read(have):
                have += len(chunk)
                if size is not None and have > size:
                    return False
                hasher.update(chunk)
                _write_all(part, chunk)
                meter.advance(subject, len(chunk))
        except BaseException:
            release(part)
            raise
        return size in (None, have) and hasher.hexdigest() == digest.hex

    def _commit(self, part: int, digest: Digest, place: Digest) -> None:
        """Give the partial file, which was made under the name of `place`, the name of its blob."""
        partial = self._partial_path(place)
        target = self.path(digest)
        make_directories(target.parent)
        os.fchmod(part, 0o444)
        if not mark_until_reboot(partial, digest):
            os.fsync(part)
            mark(partial, digest)
        os.replace(partial, target)
        self._came_in[digest] = identity_of(os.fstat(part))


def hash_file(path: Path, digest: Digest) -> str:
    """The file's hash by the digest's algorithm, in hex."""
    hasher = digest.hasher()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _still_named(handle: int, path: Path) -> bool:
    """Whether the locked file is still the one at `path`, and not one that its finisher has renamed away."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    own = os.fstat(handle)
    return (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)


def _rehash(part: int, hasher: Hasher, *, limit: int | None) -> int:
    """Hash what is already there, from the start; returns the offset to go on at (0 when there is too much)."""
    size = os.fstat(part).st_size
    if limit is not None and size > limit:
        os.ftruncate(part, 0)
        size = 0
    os.lseek(part, 0, os.SEEK_SET)
    while chunk := os.read(part, CHUNK):
        hasher.update(chunk)
    return size


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
