"""Makes ../image, the OCI layout of the example image, from hello.S. Needs `as` and `objcopy` (binutils) on x86-64."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VERSION = "1.0.0"
EPOCH = "1970-01-01T00:00:00Z"


def assemble(source: Path) -> bytes:
    """The program's bytes."""
    with tempfile.TemporaryDirectory() as place:
        object_file, program = Path(place, "hello.o"), Path(place, "hello")
        subprocess.run(["as", "--64", source, "-o", object_file], check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", object_file, program], check=True)
        return program.read_bytes()


def layer(program: bytes) -> bytes:
    """A tar with `/hello` as its only file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("hello")
        info.size, info.mode = len(program), 0o755
        archive.addfile(info, io.BytesIO(program))
    return buffer.getvalue()


def build(target: Path) -> None:
    """Write the layout (OCI image-spec image-layout.md)."""
    tar = layer(assemble(HERE / "hello.S"))
    config = {
        "created": EPOCH,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Entrypoint": ["/hello"],
            "Labels": {"org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.version": VERSION},
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
        "history": [{"created": EPOCH, "created_by": "hello.S"}],
    }
    shutil.rmtree(target, ignore_errors=True)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _put(target, _json(config), "application/vnd.oci.image.config.v1+json"),
        "layers": [_put(target, gzip.compress(tar, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = {
        **_put(target, _json(manifest), manifest["mediaType"]),
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"org.opencontainers.image.ref.name": VERSION},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    (target / "index.json").write_bytes(_json(index))
    (target / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))


def _put(target: Path, data: bytes, media_type: object) -> dict[str, Any]:
    digest = _digest(data)
    path = target / "blobs" / digest.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(data: object) -> bytes:
    return json.dumps(data, indent=2).encode() + b"\n"


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "image")
