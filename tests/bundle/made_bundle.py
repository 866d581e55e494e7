"""A small, whole bundle as `doit bundle` makes it, for tests that pack, check and damage it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bundle.images.docker_archive import write_image
from bundle.images.layout import LayoutImage, place_image, write_index
from bundle.metadata.base import Base
from bundle.metadata.checksums import SUMS, hash_files, list_files, write_sums
from bundle.metadata.delta import Delta
from bundle.metadata.entries import ChartEntry, FileEntry
from bundle.metadata.manifest import BundleManifest, ImageEntry, Layout
from bundle.metadata.names import MANIFEST, MANIFEST_TEXT
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.report.manifest_text import manifest_text
from bundle.sbom.summary import sbom_path
from bundle.storage.blob_store import BlobStore
from tests.integration.images import AMD64, ARM64, Image, Index, image, index, layer

PREFIX = "internal-registry.example.com:5000/team"
SHARED = layer("shared", 3000)
CONTENT: dict[str, Image | Index] = {
    "api": image(SHARED, layer("api", 100)),
    "plain": image(layer("plain", 50, compressed=False)),
    "docker": image(SHARED, layer("docker", 70), docker=True),
    "multi": index(image(layer("arm", 60), platform=ARM64), image(layer("amd", 60), platform=AMD64)),
}
CHART = b"a packaged chart"
TOOL = b"#!/bin/sh\necho helm\n"


def stored(store: BlobStore, name: str) -> LayoutImage:
    """Put one of the images into the store, as a pull does."""
    content = CONTENT[name]
    for each in content.images if isinstance(content, Index) else (content,):
        for data in (*each.blobs.values(), each.raw):
            store.put(data)
    store.put(content.raw)
    return LayoutImage(name=name, reference=Reference.parse(f"{PREFIX}/{name}:1.0"), root=content.descriptor)


def blobs_of(name: str) -> dict[Digest, int]:
    """The configs and layers of one of the images, with their sizes."""
    content = CONTENT[name]
    parts = content.images if isinstance(content, Index) else (content,)
    return {digest: len(data) for each in parts for digest, data in each.blobs.items()}


def manifest_of(images: list[LayoutImage], layout: Layout) -> BundleManifest:
    """The manifest of a bundle of these images, one chart and one tool."""
    return BundleManifest(
        name="demo",
        version="1.2",
        created=datetime(2026, 1, 31, 12, 30, 1, tzinfo=UTC),
        tool="0.1.0",
        layout=layout,
        platform=Platform.parse("linux/amd64"),
        images=tuple(
            ImageEntry(
                name=each.name,
                source=f"example.com/{each.name}:1",
                reference=each.reference,
                digest=each.root.digest,
                media_type=each.root.media_type,
                size=123_456,
                platform=None if each.name == "multi" else AMD64,
                file="" if layout == "oci" else f"images/{each.name}.tar",
                sbom=sbom_path("api") if each.name == "api" else "",
                blobs=blobs_of(each.name),
            )
            for each in images
        ),
        charts=(
            ChartEntry(
                name="demo",
                version="0.3.0",
                source="oci://example.com/demo",
                file="charts/demo-0.3.0.tgz",
                digest=Digest.of(CHART),
                size=len(CHART),
                provenance="charts/demo-0.3.0.tgz.prov",
            ),
        ),
        files=(
            FileEntry(name="helm", source="tools/helm", file="files/helm", digest=Digest.of(TOOL), size=20, tool=True),
        ),
        registries=(PREFIX,),
        archive=True,
        split=20_000,
    )


def make_bundle(place: Path, layout: Layout = "oci", *, base: Base | None = None) -> Path:
    """Make `place/demo-1.2`, with its cache beside it, and return its path; with a base, what is in it is left out."""
    root = place / "demo-1.2"
    store = BlobStore(place / "cache")
    images = [stored(store, name) for name in CONTENT]
    without = base.blobs if base else {}
    for each in images:
        if layout == "oci":
            place_image(root / "images", each, store, without=without)
        else:
            write_image(root / f"images/{each.name}.tar", each, store, epoch=0, without=without)
    if layout == "oci":
        write_index(root / "images", images)
    manifest = manifest_of(images, layout)
    if base:
        manifest = replace(manifest, delta=Delta(base=base.named, blobs=base.blobs))
    for name, data in {
        "charts/demo-0.3.0.tgz": CHART,
        "charts/demo-0.3.0.tgz.prov": b"signed",
        "files/helm": TOOL,
        sbom_path("api"): b"{}",
        MANIFEST: manifest.encode(),
        MANIFEST_TEXT: manifest_text(manifest).encode(),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "files/helm").chmod(0o755)
    write_sums(root / SUMS, hash_files(root, list_files(root)))
    return root
