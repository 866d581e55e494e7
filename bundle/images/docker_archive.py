"""Writing one self-contained tar for each image: an OCI layout and Docker's `manifest.json` over the same blobs.

`docker load` (20.10 and later), skopeo's `docker-archive:` and `oci-archive:` read it; digests survive.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import SourceError, storage_errors
from bundle.images.layout import (
    DOCKER_MANIFEST,
    INDEX,
    LAYOUT_VERSION,
    OCI_LAYOUT,
    LayoutImage,
    blob_name,
    docker_manifest_bytes,
    index_bytes,
    stored_content,
)
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.appender import Appender
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import require_room, writing
from bundle.storage.tar_writer import TarWriter

ARCHIVE_TYPE = "application/x-tar"


EPOCH = 0  # seconds since 1970; the date of all members


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageArchive:
    """One image's archive as it is made of the store, whenever it is written: the same bytes each time.

    It is self-contained but for blobs that it is to be `without`.
    """

    image: LayoutImage
    store: BlobStore
    without: Collection[Digest] = ()

    def write(self, tar: TarWriter) -> None:
        """Write all members and the end of the archive, each blob checked while it streams.

        An IntegrityError names the image and a blob that is lost or damaged.
        """
        content = {
            descriptor.digest: descriptor for descriptor in stored_content(self.image, self.store, without=self.without)
        }
        tar.data(OCI_LAYOUT, LAYOUT_VERSION)
        tar.data(INDEX, index_bytes([self.image]))
        tar.data(DOCKER_MANIFEST, docker_manifest_bytes([self.image], self._read))
        tar.directory("blobs")
        algorithm = ""
        for digest in sorted(content):
            if digest.algorithm != algorithm:
                algorithm = digest.algorithm
                tar.directory(f"blobs/{algorithm}")
            tar.file(blob_name(digest), self.store.path(digest), digest=digest)
        tar.close()

    def put(self, path: Path, *, epoch: int = EPOCH, meter: Meter | None = None) -> Descriptor:
        """Write it to `path`, atomically, and return its digest and size; an earlier file stays when that fails."""
        with storage_errors(f"write image {self.image.name!r}", path):
            size = sum(each.size for each in stored_content(self.image, self.store, without=self.without))
            require_room(path, size, cloned=True)
        with storage_errors(f"write image {self.image.name!r}", path, wanted=size), writing(path) as file:
            return self._append(file.fileno(), epoch, meter)

    def measure(self) -> Descriptor:
        """The digest and size of the archive, which is written nowhere; errors as for `write`."""
        with storage_errors(f"read image {self.image.name!r}", self.store.root), Path(os.devnull).open("wb") as nowhere:
            return self._append(nowhere.fileno(), EPOCH, None)

    def _append(self, handle: int, epoch: int, meter: Meter | None) -> Descriptor:
        with Appender(handle) as appender:
            subject, known = f"image {self.image.name!r}", self.store.is_as_it_came
            self.write(TarWriter(appender, epoch=epoch, subject=subject, meter=meter, known=known))
            return Descriptor(media_type=ARCHIVE_TYPE, digest=appender.digest, size=appender.size)

    def _read(self, descriptor: Descriptor) -> bytes:
        data = self.store.get(descriptor.digest)
        if data is None:
            told = f"image {self.image.name!r}: {descriptor.digest} vanished from the cache"
            raise SourceError(told, hint="run again")
        return data


def write_image(
    path: Path,
    image: LayoutImage,
    store: BlobStore,
    *,
    epoch: int,
    meter: Meter | None = None,
    without: Collection[Digest] = (),
) -> Descriptor:
    """Write one image from the store to `path`, atomically; returns the digest and size of the tar.

    `epoch` dates every member, in seconds since 1970: the same image and epoch give the same bytes. Each blob is
    checked while it streams; an IntegrityError names the image and leaves an earlier file as it was. Blobs that the tar
    is to be `without` are left out: it is not self-contained then.
    """
    return ImageArchive(image=image, store=store, without=without).put(path, epoch=epoch, meter=meter)
