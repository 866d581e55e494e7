"""What a delta leaves out, found in the registry inside: mounted from where it is, or read from there."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from bundle.errors import AirgapError, SourceError
from bundle.formats.sizes import human
from bundle.metadata.delta import Delta
from bundle.metadata.manifest import BundleManifest, ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import ImageSource
from tasks.site.destination import Destination
from tasks.site.repositories import Repositories

_AT_ONCE = 16  # questions
_BLOB = "application/octet-stream"


class Inside:
    """Where the registry that images go to has the blobs that a delta leaves out; looked for side by side, once.

    It is asked in the repositories that the base names, then in those that the images go to.
    """

    def __init__(
        self, manifest: BundleManifest, delta: Delta, destination: Destination, repositories: Repositories
    ) -> None:
        self._manifest = manifest
        self._delta = delta
        self._destination = destination
        self._repositories = repositories
        self._guard = threading.Lock()
        self._found: dict[Digest, Reference | None] | None = None
        self._wanted = {
            digest: Descriptor(media_type=_BLOB, digest=digest, size=size)
            for entry in manifest.images
            for digest, size in manifest.lacks(entry).items()
        }

    def stated(self) -> Iterator[tuple[Reference, Descriptor]]:
        """Each blob that is left out, and where it should be by what the base says."""
        for digest, blob in self._wanted.items():
            yield self._places(digest)[0], blob

    def place(self, digest: Digest) -> Reference | None:
        """A repository that has the blob; None where none has it, or may be asked."""
        with self._guard:
            if self._found is None:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    found = pool.map(self._look, self._wanted.values())
                    self._found = dict(zip(self._wanted, found, strict=True))
            return self._found.get(digest)

    def lacking(self) -> Iterator[tuple[ImageEntry, SourceError]]:
        """The images that can't be completed here, and why. One that the registry has under its name needs nothing.

        A registry that does not answer is an AirgapError.
        """
        for entry in self._manifest.images:
            lacks = self._manifest.lacks(entry)
            if not lacks or self._destination.present(entry) == entry.digest:
                continue
            missing = {digest: size for digest, size in lacks.items() if self.place(digest) is None}
            if missing:
                yield entry, self._error(entry, missing)

    def complete(self, carried: ImageSource, entry: ImageEntry) -> ImageSource:
        """An image whose left-out blobs are mounted from where they are, or where that is refused, read from there."""
        lacks = self._manifest.lacks(entry)
        for digest in lacks:
            if place := self.place(digest):
                self._repositories.remember(place, digest)
        return _Completed(carried, entry, lacks, self) if lacks else carried

    def read(self, entry: ImageEntry, blob: Descriptor, offset: int) -> Iterator[bytes]:
        """A left-out blob's bytes from `offset` on; a SourceError where it is nowhere."""
        place = self.place(blob.digest)
        if place is None:
            raise self._error(entry, {blob.digest: blob.size})
        return self._repositories.read(place, blob, offset)

    def _look(self, blob: Descriptor) -> Reference | None:
        for place in self._places(blob.digest):
            try:
                if self._repositories.holds(place, blob):
                    return place
            except AirgapError:
                continue  # a repository that may not be read is none to take it from
        return None

    def _places(self, digest: Digest) -> tuple[Reference, ...]:
        own = [self._destination.target(entry) for entry in self._manifest.images if digest in entry.blobs]
        stated = [self._destination.inside(text) for text in self._delta.blobs[digest]]
        hosts = {each.host for each in own}
        places = [Reference(host=each.host, path=each.path) for each in (*stated, *own) if each.host in hosts]
        return tuple(dict.fromkeys(places))

    def _error(self, entry: ImageEntry, missing: Mapping[Digest, int]) -> SourceError:
        listed = ", ".join(f"{digest} ({human(size)})" for digest, size in sorted(missing.items()))
        looked = ", ".join(sorted({str(place) for digest in missing for place in self._places(digest)}))
        bundle = f"{self._manifest.name} {self._manifest.version}"
        return SourceError(
            f"image {entry.name!r}: {listed}: left out, because {self._delta.base} says that it is inside, "
            f"but it is not: looked in {looked}",
            hint=f"outside, make a full bundle of {bundle}: doit bundle (without since=), "
            "or a delta since the receipt.json that the last install here wrote; carry that over",
        )


class _Completed:
    """One image, what the bundle carries of it and what is inside."""

    def __init__(self, carried: ImageSource, entry: ImageEntry, lacks: Mapping[Digest, int], inside: Inside) -> None:
        self._carried = carried
        self._entry = entry
        self._lacks = lacks
        self._inside = inside

    def resolve(self) -> Descriptor:
        return self._carried.resolve()

    def manifest(self, descriptor: Descriptor) -> bytes:
        return self._carried.manifest(descriptor)

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        if descriptor.digest in self._lacks:
            return self._inside.read(self._entry, descriptor, offset)
        return self._carried.read(descriptor, offset)
