"""Images whose layers hold files of our choosing, as Debian, Red Hat and Alpine lay them out, for derived images."""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence

from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.image import Manifest
from tests.integration.images import Image, Index, Layer, image

Files = Mapping[str, bytes | str | None]
"""By path: a file's bytes, where a link leads, or None for a directory."""

OLD = "-----BEGIN CERTIFICATE-----\nb2xk\n-----END CERTIFICATE-----\n"
DEBIAN: Files = {
    "etc/ssl/certs": None,
    "etc/ssl/certs/ca-certificates.crt": OLD.encode(),
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
    "usr/local/share/ca-certificates": None,
}
RED_HAT: Files = {
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": OLD.encode(),
    "etc/pki/tls/certs/ca-bundle.crt": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/pki/tls/cert.pem": "certs/ca-bundle.crt",
    "etc/ssl/certs": "../pki/tls/certs",
}
ALPINE: Files = {
    "etc/ssl/certs/ca-certificates.crt": OLD.encode(),
    "etc/ssl/cert.pem": "certs/ca-certificates.crt",
}


def tar(files: Files, *, mode: int = 0o644, owner: int = 0) -> bytes:
    """A layer's tar, without entries for the directories that are only implied."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid = mode, owner, owner
            data = b""
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                data, info.size = content, len(content)
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def layer_of(files: Files, *, compressed: bool = True, mode: int = 0o644, owner: int = 0) -> Layer:
    """A layer of these files."""
    data = tar(files, mode=mode, owner=owner)
    blob = gzip.compress(data, mtime=0) if compressed else data
    return Layer(data=blob, diff_id=Digest.of(data), compressed=compressed)


def system(*layers: Files, docker: bool = False) -> Image:
    """An image of such layers, base first."""
    return image(*(layer_of(each) for each in layers), docker=docker)


class Held:
    """Images in memory as an ImageSource; a blob's bytes can be replaced by `damaged` ones."""

    def __init__(self, held: Image | Index, damaged: Mapping[Digest, bytes] | None = None) -> None:
        self._held = held
        images: Sequence[Image] = held.images if isinstance(held, Index) else (held,)
        self._blobs = {digest: data for each in images for digest, data in each.blobs.items()}
        self._blobs |= {each.descriptor.digest: each.raw for each in images} | dict(damaged or {})
        self._blobs[held.descriptor.digest] = held.raw

    def resolve(self) -> Descriptor:
        """The descriptor of the image or the index."""
        return self._held.descriptor

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The bytes of a manifest."""
        return self._blobs[descriptor.digest]

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The bytes of a blob, a few at a time."""
        data = self._blobs[descriptor.digest][offset:]
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]


def layers_of(held: Image) -> tuple[Descriptor, ...]:
    """The layers of an image, base first."""
    return Manifest.parse(held.raw).layers
