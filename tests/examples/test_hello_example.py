"""The hello example is whole: its image is what its source makes, and small."""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.places import ROOT

HELLO = ROOT / "examples" / "hello"
IMAGE = HELLO / "image"


def blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """A blob, checked against its descriptor."""
    data = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) == (descriptor["digest"], descriptor["size"])
    return data


def contents(layout: Path) -> tuple[dict[str, Any], bytes]:
    """The config and the unpacked layer."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads(blob(layout, entry))
    (layer,) = manifest["layers"]
    return json.loads(blob(layout, manifest["config"])), gzip.decompress(blob(layout, layer))


def test_the_image_holds_together() -> None:
    config, layer = contents(IMAGE)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert len(list((IMAGE / "blobs" / "sha256").iterdir())) == 3


def test_the_example_is_small() -> None:
    files = [path for path in HELLO.rglob("*") if path.is_file() and ".airgap" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 20_000


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("objcopy")), reason="needs binutils")
def test_the_image_is_what_its_source_makes(tmp_path: Path) -> None:
    made = tmp_path / "image"
    build = HELLO / "image-source" / "build.py"
    subprocess.run([sys.executable, build, made], check=True)
    # The compressed bytes may differ with the zlib, so what they unpack to is compared.
    assert contents(made) == contents(IMAGE)
