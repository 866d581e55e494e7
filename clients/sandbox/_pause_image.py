"""The image whose container holds a pod's namespaces, made of our own `pause`, as `ctr images import` takes it."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from bundle.errors import storage_errors

_NOBODY = "65535:65535"


def write_pause_image(program: Path, archive: Path, name: str, *, architecture: str) -> None:
    """Write an archive as `docker save` does, with `program` in an image of this name."""
    with storage_errors("make the pause image", archive):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as layer:
            _add(layer, "pause", program.read_bytes(), mode=0o755)
        diff = f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}"
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": _NOBODY},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        with tarfile.open(archive, mode="w") as tar:
            _add(tar, "layer.tar", buffer.getvalue())
            _add(tar, "config.json", json.dumps(config).encode())
            _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
