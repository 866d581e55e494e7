"""The right source for where an image comes from."""

import json
from pathlib import Path

import pytest

from bundle.errors import EngineError, SourceError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.oci.locations import parse_image
from bundle.storage.blob_store import BlobStore
from clients.engine.engine import Engine
from clients.engine.names import EngineNames
from clients.engine.source import EngineImages
from clients.images import open_image
from clients.registry.repository import Registries
from tests.fixtures.servers.fake_engine import FakeEngine, fake_engine
from tests.fixtures.servers.faulty_registry import FaultyRegistry


def no_engine() -> EngineImages:
    """None is needed."""
    raise AssertionError


def engine_images(fake: FakeEngine, place: Path) -> EngineImages:
    """Those of a fake Engine, kept below a directory."""
    engine, meter = Engine(fake.env), SilentMeter()
    names = EngineNames(place / "engine.json", engine)
    return EngineImages(engine, BlobStore(place / "cache"), names, meter=meter, local=meter, jobs=2)


def test_from_a_registry(registries: Registries, faulty: FaultyRegistry, tmp_path: Path) -> None:
    root = faulty.put_image("team/app", "1")
    location = parse_image(f"{faulty.host}/team/app:1", tmp_path)
    assert open_image(location, subject="image 'app'", registries=registries, engine=no_engine).resolve() == root


def test_from_a_layout(registries: Registries, tmp_path: Path) -> None:
    raw = b'{"schemaVersion": 2}'
    entry = {"mediaType": media_types.OCI_MANIFEST, "digest": str(Digest.of(raw)), "size": len(raw)}
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    source = open_image(parse_image("oci:.", tmp_path), subject="image 'app'", registries=registries, engine=no_engine)
    assert source.resolve().digest == Digest.of(raw)


def test_from_the_docker_engine(registries: Registries, tmp_path: Path) -> None:
    with fake_engine() as fake:
        images = engine_images(fake, tmp_path)
        location = parse_image("docker-daemon:app:1", tmp_path)
        source = open_image(location, subject="image 'app'", registries=registries, engine=lambda: images)
        with pytest.raises(EngineError, match=r"image 'app': the Docker Engine at .* has no image app:1") as caught:
            source.resolve()
    assert "docker images" in caught.value.hint


def test_what_can_not_be_opened(registries: Registries, tmp_path: Path) -> None:
    location = parse_image("docker-archive:none.tar", tmp_path)
    with pytest.raises(SourceError, match=r"image 'app': .*no file .*none.tar") as caught:
        open_image(location, subject="image 'app'", registries=registries, engine=no_engine)
    assert "check" in str(caught.value)
