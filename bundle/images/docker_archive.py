"""Writing one self-contained tar for each image: an OCI layout and Docker's `manifest.json` over the same blobs.

`docker load` (20.10 and later), skopeo's `docker-archive:` and `oci-archive:` read it; digests survive.
"""

from collections.abc import Collection
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
from bundle.storage.blob_store import BlobStore
from bundle.storage.files import writing
from bundle.storage.tar_writer import HashingSink, TarWriter

ARCHIVE_TYPE = "application/x-tar"


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
    content = {descriptor.digest: descriptor for descriptor in stored_content(image, store, without=without)}

    def read(descriptor: Descriptor) -> bytes:
        data = store.get(descriptor.digest)
        if data is None:
            raise SourceError(f"image {image.name!r}: {descriptor.digest} vanished from the cache", hint="run again")
        return data

    with storage_errors(f"write image {image.name!r}", path), writing(path) as file:
        sink = HashingSink(file)
        tar = TarWriter(sink, epoch=epoch, subject=f"image {image.name!r}", meter=meter)
        tar.data(OCI_LAYOUT, LAYOUT_VERSION)
        tar.data(INDEX, index_bytes([image]))
        tar.data(DOCKER_MANIFEST, docker_manifest_bytes([image], read))
        _write_blobs(tar, store, sorted(content))
        tar.close()
    return Descriptor(media_type=ARCHIVE_TYPE, digest=sink.digest, size=sink.size)


def _write_blobs(tar: TarWriter, store: BlobStore, digests: list[Digest]) -> None:
    tar.directory("blobs")
    algorithm = ""
    for digest in digests:
        if digest.algorithm != algorithm:
            algorithm = digest.algorithm
            tar.directory(f"blobs/{algorithm}")
        tar.file(blob_name(digest), store.path(digest), digest=digest)
