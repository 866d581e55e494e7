"""The image of a pod's first container."""

import hashlib
import json
import tarfile
from pathlib import Path

from clients.sandbox._pause_image import write_pause_image


def test_it_is_an_archive_with_the_program_in_one_layer(tmp_path: Path) -> None:
    program, archive = tmp_path / "pause", tmp_path / "pause.tar"
    program.write_bytes(b"\x7fELF and so on")
    write_pause_image(program, archive, "node.invalid/pause:1", architecture="arm64")
    with tarfile.open(archive) as tar:
        found = {name: reader.read() for name in tar.getnames() if (reader := tar.extractfile(name))}
    (manifest,) = json.loads(found["manifest.json"])
    assert manifest["RepoTags"] == ["node.invalid/pause:1"]
    config, layer = json.loads(found[manifest["Config"]]), found[manifest["Layers"][0]]
    assert config["architecture"] == "arm64"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"] == {"Entrypoint": ["/pause"], "User": "65535:65535"}
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        entry = tar.getmember("pause")
        reader = tar.extractfile(entry)
        assert reader
        assert (entry.mode, reader.read()) == (0o755, b"\x7fELF and so on")
