"""Images made on the spot for tests and benchmarks: real tar layers of pseudo-random bytes, the same bytes every time.

Everything is built in memory; nothing here talks to anybody.
"""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform

DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64", variant="v8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer's blob and the digest of the tar inside it; share one object among images to share the blob."""

    data: bytes = field(repr=False)
    diff_id: Digest
    compressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image manifest (exact bytes) with the blobs it needs, config first."""

    descriptor: Descriptor
    raw: bytes = field(repr=False)
    blobs: Mapping[Digest, bytes] = field(repr=False)
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index (exact bytes) with the images it lists."""

    descriptor: Descriptor
    raw: bytes = field(repr=False)
    images: tuple[Image, ...]


def layer(seed: str, size: int, *, compressed: bool = True) -> Layer:
    """A layer that holds one file, `data/<seed>`, of `size` pseudo-random bytes drawn from `seed`.

    The blob is a little larger than `size`: random bytes don't compress, so gzip only stores them, which is quick.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(f"data/{seed}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(pseudo_random(seed, size)))
    data = buffer.getvalue()
    return Layer(
        data=gzip.compress(data, compresslevel=0, mtime=0) if compressed else data,
        diff_id=Digest.of(data),
        compressed=compressed,
    )


def image(
    *layers: Layer, platform: Platform = AMD64, docker: bool = False, labels: Mapping[str, str] | None = None
) -> Image:
    """An image of these layers, base first: an OCI manifest, or Docker's schema 2 when `docker`.

    `labels` go into the config; two images that differ in nothing else differ in their digests then.
    """
    config = _json(
        {
            **platform.to_dict(),
            "config": {"Cmd": ["/data"], "Labels": dict(labels or {})},
            "created": "2026-01-01T00:00:00Z",
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "test"} for _ in layers],
            "rootfs": {"type": "layers", "diff_ids": [str(item.diff_id) for item in layers]},
        }
    )
    raw = _json(
        {
            "schemaVersion": 2,
            "mediaType": media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST,
            "config": _describe(config, media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG).to_dict(),
            "layers": [_describe(item.data, _layer_type(item, docker=docker)).to_dict() for item in layers],
        }
    )
    return Image(
        descriptor=_describe(raw, media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST),
        raw=raw,
        blobs={Digest.of(data): data for data in (config, *(item.data for item in layers))},
        platform=platform,
    )


def index(*images: Image, docker: bool = False) -> Index:
    """A multi-platform image: an OCI index, or Docker's manifest list when `docker`."""
    kind = media_types.DOCKER_INDEX if docker else media_types.OCI_INDEX
    entries = [{**item.descriptor.to_dict(), "platform": item.platform.to_dict()} for item in images]
    raw = _json({"schemaVersion": 2, "mediaType": kind, "manifests": entries})
    return Index(descriptor=_describe(raw, kind), raw=raw, images=images)


def pseudo_random(seed: str, size: int) -> bytes:
    """`size` bytes that don't compress and are the same in every run."""
    return b"".join(random_chunks(seed, size))


def random_chunks(seed: str, size: int, *, chunk: int = 4 * 1024 * 1024) -> Iterator[bytes]:
    """The same bytes piece by piece, for blobs too large to hold in memory."""
    source = random.Random(hashlib.sha256(seed.encode()).digest())
    for start in range(0, size, chunk):
        yield source.randbytes(min(chunk, size - start))


def _layer_type(item: Layer, *, docker: bool) -> str:
    if docker:
        return DOCKER_LAYER_GZIP if item.compressed else DOCKER_LAYER
    return media_types.OCI_LAYER_GZIP if item.compressed else media_types.OCI_LAYER


def _describe(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()
