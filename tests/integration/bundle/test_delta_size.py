"""The promise in figures: a changed layer of a bundle of 1.4 GB crosses in its size and that of airgap.pyz, 1.5 MB."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from bundle.images.layout import LayoutImage, write_index
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from tests.fixtures.benches.crossing import Crossing
from tests.fixtures.images.images import AMD64
from tests.fixtures.parts.registries import cncf_registry

MB = 1000 * 1000
NAMES = ("api", "web")


def sparse_layer(blobs: Path, name: str, size: int) -> Descriptor:
    """A layer of one file of zeros, which takes no space until it is copied; its name makes it another one."""
    entry = tarfile.TarInfo(f"data/{name}")
    entry.size = size
    header = entry.tobuf()
    total = -(-(len(header) + size + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    hasher, left, zeros = hashlib.sha256(header), total - len(header), bytes(MB)
    while left:
        hasher.update(zeros[:left])
        left -= min(left, len(zeros))
    digest = Digest(algorithm="sha256", hex=hasher.hexdigest())
    with (blobs / digest.hex).open("wb") as file:
        file.write(header)
        file.truncate(total)
    return Descriptor(media_type=media_types.OCI_LAYER, digest=digest, size=total)


def put(blobs: Path, data: bytes, media_type: str) -> Descriptor:
    """A small blob."""
    found = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
    (blobs / found.digest.hex).write_bytes(data)
    return found


def write_image(place: Path, name: str, layers: list[tuple[str, int]]) -> list[Descriptor]:
    """An image of layers of these names and sizes as an OCI layout; its layers."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    made = [sparse_layer(blobs, *each) for each in layers]
    rootfs = {"type": "layers", "diff_ids": [str(each.digest) for each in made]}
    config = put(
        blobs, json.dumps({**AMD64.to_dict(), "config": {}, "rootfs": rootfs}).encode(), media_types.OCI_CONFIG
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": config.to_dict(),
        "layers": [each.to_dict() for each in made],
    }
    root = put(blobs, json.dumps(manifest).encode(), media_types.OCI_MANIFEST)
    reference = Reference.parse(f"example.com/{name}:1")
    write_index(place, [LayoutImage(name=name, reference=reference, root=root)])
    return made


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.registry
def test_one_changed_layer_of_1_4_gb(tmp_path: Path) -> None:
    with cncf_registry(tmp_path / "registry") as registry:
        crossing = Crossing.make(tmp_path, registry, "shop")
        common = [(f"common {number}", 160 * MB) for number in range(8)]
        for name in NAMES:
            write_image(crossing.bench.place / "images" / name, name, [*common, (f"{name} 1", 60 * MB)])
        assert crossing.bench.doit("bundle").code == 0
        full = crossing.bench.dist / "shop-1.0"
        assert size(full) > 1400 * MB
        crossing.installed(full)
        *_, top = write_image(crossing.bench.place / "images/api", "api", [*common, ("api 2", 20 * MB)])
        (crossing.bench.place / "airgap.lock").unlink()
        assert crossing.bench.doit("bundle").code == 0
        made = crossing.bench.doit("bundle", f"since={crossing.receipt}")
        assert made.code == 0, made.err
        delta = crossing.bench.dist / "shop-1.0-since-1.0"
        # 1.5 MB of it is airgap.pyz, which carries the Docker SDK and sh.
        assert top.size < size(delta) < top.size + 1.7 * MB
        with registry.recorded() as requests:
            crossing.installed(delta)
        sent = "".join(each.path for each in requests if each.method == "PUT" and "/blobs/" in each.path)
        assert sent.count("digest=") == 2, "its config and its new layer"
        manifests = [json.loads((root / "manifest.json").read_text()) for root in (full, delta)]
        assert [each["digest"] for each in manifests[0]["images"]] == [
            each["digest"] for each in manifests[1]["images"]
        ]
        for entry in manifests[0]["images"]:
            answer = registry.request(
                "GET", f"/v2/shop/{entry['name']}/manifests/1", headers={"Accept": media_types.OCI_MANIFEST}
            )
            assert str(Digest.of(answer.data)) == entry["digest"]
            for digest in entry["blobs"]:
                assert registry.request("HEAD", f"/v2/shop/{entry['name']}/blobs/{digest}").status == 200
