"""The right source for where an image comes from."""

import json
from pathlib import Path

import pytest

from bundle import media
from bundle.digest import Digest
from bundle.errors import SourceError
from bundle.locations import parse_image
from clients.images import open_image
from clients.registry import Registries
from tests.clients.faulty_registry import FaultyRegistry


def test_from_a_registry(registries: Registries, faulty: FaultyRegistry, tmp_path: Path) -> None:
    root = faulty.put_image("team/app", "1")
    location = parse_image(f"{faulty.host}/team/app:1", tmp_path)
    assert open_image(location, subject="image 'app'", registries=registries).resolve() == root


def test_from_a_layout(registries: Registries, tmp_path: Path) -> None:
    raw = b'{"schemaVersion": 2}'
    entry = {"mediaType": media.OCI_MANIFEST, "digest": str(Digest.of(raw)), "size": len(raw)}
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    source = open_image(parse_image("oci:.", tmp_path), subject="image 'app'", registries=registries)
    assert source.resolve().digest == Digest.of(raw)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param("docker-archive:none.tar", "no file .*none.tar", "check", id="no-file"),
        pytest.param("docker-daemon:app:1", "Docker Engine", "docker save -o image.tar app:1", id="engine"),
    ],
)
def test_what_can_not_be_opened(registries: Registries, tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(SourceError, match=rf"image 'app': .*{message}") as caught:
        open_image(parse_image(text, tmp_path), subject="image 'app'", registries=registries)
    assert hint in str(caught.value)
