"""Images out of an Engine: saved once, pinned by what they are, and named as ours where they were pulled."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import EngineError, SourceError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from clients.engine.engine import Engine
from clients.engine.names import EngineNames
from clients.engine.source import EngineImages, PulledSource
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.images import layer
from tests.fixtures.servers.fake_engine import FakeEngine, body, fake_engine, stream

LAYER = layer("app", 50_000, compressed=False)
ID = "sha256:" + "1" * 64
NAME = "registry.example.com/team/app:1"
UPSTREAM = Digest.of(b"as the registry has it")
INSIDE = Reference.parse("inside.example.com/team/app:1")
INSPECTED = {
    "Id": ID, "Os": "linux", "Architecture": "amd64", "Size": 60_000, "RootFS": {"Layers": [str(LAYER.diff_id)]},
    "RepoTags": [NAME],
}  # fmt: skip


def saved() -> bytes:
    """What the Engine hands over."""
    config = json.dumps({"rootfs": {"diff_ids": [str(LAYER.diff_id)]}}).encode()
    listed = json.dumps([{"Config": "x.json", "Layers": ["a/layer.tar"], "RepoTags": None}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in {"a/layer.tar": LAYER.data, "x.json": config, "manifest.json": listed}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    """Has the image, gives it away, and pulls it."""
    with fake_engine() as engine:
        engine.plan(f"GET /images/{NAME}/json", body(200, INSPECTED))
        engine.plan(f"GET /images/{ID}/json", body(200, INSPECTED))
        engine.plan(f"GET /images/{ID}/get", stream(saved()))
        engine.plan("GET /images/json", body(200, [{"Id": ID}]))
        engine.plan("POST /images/create", stream({"status": f"Digest: {UPSTREAM}"}))
        engine.plan(f"POST /images/{ID}/tag", body(201, {}))
        yield engine


@pytest.fixture
def images(fake: FakeEngine, tmp_path: Path) -> EngineImages:
    engine = Engine(fake.env)
    names = EngineNames(tmp_path / "names.json", engine)
    meters: Any = {"meter": RecordingMeter(), "local": RecordingMeter()}
    return EngineImages(engine, BlobStore(tmp_path / "cache"), names, jobs=1, **meters)


def pulled(images: EngineImages, name: str = NAME, platform: str = "linux/amd64") -> PulledSource:
    where = Platform.parse(platform) if platform != "all" else None
    reference = Reference.parse(name)
    return images.pulled(reference, platform=where, target=INSIDE, step="pull:app", subject="image 'app'")


def asked(fake: FakeEngine, word: str) -> list[str]:
    return [request for request, _, _ in fake.seen if word in request]


def test_it_is_saved_once_by_its_id_and_counted(fake: FakeEngine, images: EngineImages) -> None:
    source = images.present(NAME, subject="image 'app'")
    assert fake.seen == [], "nothing is asked before it is needed"
    root = source.resolve()
    manifest = json.loads(source.manifest(root))
    (part,) = manifest["layers"]
    digest = Digest.parse(part["digest"])
    blob = Descriptor(media_type=part["mediaType"], digest=digest, size=part["size"])
    assert b"".join(source.read(blob, 0)) == LAYER.data
    assert b"".join(source.read(blob, 49_000)) == LAYER.data[49_000:]
    assert len(asked(fake, "/get")) == 1
    meter: Any = images.local
    assert meter.moved == meter.expected == 60_000


def test_another_than_is_pinned_is_not_given(images: EngineImages) -> None:
    source = images.present(NAME, subject="image 'app'")
    pinned = Descriptor(media_type="x", digest=Digest.of(b"another"), size=1)
    with pytest.raises(SourceError, match=f"another image than is pinned: expected {pinned.digest}") as caught:
        source.manifest(pinned)
    assert "doit lock" in caught.value.hint


def test_an_image_that_is_not_there(images: EngineImages) -> None:
    with pytest.raises(EngineError, match=r"image 'app': the Docker Engine at .* has no image gone:1") as caught:
        images.present("gone:1", subject="image 'app'").resolve()
    assert "build or pull it first" in caught.value.hint


def test_a_pulled_one_tells_the_registrys_digest_and_is_named_as_inside(fake: FakeEngine, images: EngineImages) -> None:
    source = pulled(images)
    assert source.upstream == UPSTREAM
    source.resolve()
    assert len(asked(fake, "/images/create")) == 1
    assert any("inside.example.com" in request for request in asked(fake, "/tag"))


def test_what_is_named_by_its_digest_is_not_pulled_to_tell_it(fake: FakeEngine, images: EngineImages) -> None:
    assert pulled(images, f"registry.example.com/team/app@{UPSTREAM}").upstream == UPSTREAM
    assert fake.seen == []


def test_an_engine_that_does_not_tell_the_digest(fake: FakeEngine, images: EngineImages) -> None:
    fake.plan("POST /images/create", stream({"status": "Pull complete"}))
    with pytest.raises(EngineError, match="does not tell the digest of what it pulled") as caught:
        _ = pulled(images).upstream
    assert "@sha256:..." in caught.value.hint


def test_all_platforms_are_more_than_an_engine_takes(fake: FakeEngine, images: EngineImages) -> None:
    with pytest.raises(EngineError, match="takes one platform of an image, and `all` was asked for"):
        pulled(images, platform="all").resolve()
    assert fake.seen == []
