"""The tar that an Engine loads, made while it is sent."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import AirgapError, EngineError, IntegrityError
from bundle.images.docker_load import Loadable, LoadedBlob, LoadTogether
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from tests.fixtures.images.fake_images import ContentSource, FakeSource
from tests.fixtures.images.images import Image, Index, image, layer
from tests.fixtures.made.made_bundle import CONTENT

NAME = Reference.parse("registry.example.com/team/app:1")


def loadable(content: Image | Index) -> Loadable:
    return Loadable.of(ContentSource(content), content.descriptor, subject="image 'app'")


@pytest.mark.parametrize("name", CONTENT)
def test_it_is_what_docker_load_reads(name: str) -> None:
    made = loadable(CONTENT[name])
    data = b"".join(made.tar(NAME))
    assert made.size(NAME) == len(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        content = {file: reader.read() for file, reader in files.items() if reader}
    (entry,) = json.loads(content["manifest.json"])
    assert entry["RepoTags"] == [str(NAME)]
    config = json.loads(content[entry["Config"]])
    assert tuple(config["rootfs"]["diff_ids"]) == made.diff_ids
    assert len(entry["Layers"]) == len(made.diff_ids)
    assert set(entry["Layers"]) <= content.keys()


def test_layers_that_are_the_same_are_sent_once() -> None:
    base = layer("base", 1000)
    with tarfile.open(fileobj=io.BytesIO(b"".join(loadable(image(base, base)).tar(NAME)))) as tar:
        assert len(tar.getmembers()) == 3


def test_a_damaged_layer_is_never_given_away_whole() -> None:
    content = image(layer("x", 3_000_000))
    source = ContentSource(content)
    made = Loadable.of(source, content.descriptor, subject="image 'app'")
    (bad,) = made.manifest.layers
    data = source.content[bad.digest]

    class Damaged(ContentSource):
        def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
            wrong = data[:-1] + b"?" if descriptor.digest == bad.digest else self.content[descriptor.digest]
            yield from (wrong[at : at + 1_000_000] for at in range(offset, len(wrong), 1_000_000))

    sent: list[bytes] = []
    with pytest.raises(IntegrityError, match=rf"image 'app': its layer {bad.digest} is damaged"):
        sent.extend(replace(made, source=Damaged(content)).tar(NAME))
    assert 0 < len(b"".join(sent)) < bad.size


def test_what_is_no_image() -> None:
    source = FakeSource()
    root = source.image(b"a chart", config_type="application/vnd.cncf.helm.config.v1+json")
    with pytest.raises(EngineError, match=r"image 'app' is no container image") as caught:
        Loadable.of(source, root, subject="image 'app'")
    assert "engine=none" in caught.value.hint


@pytest.mark.parametrize("config", [b"{}", b"nonsense", b'{"rootfs": 1}'], ids=["empty", "no JSON", "wrong"])
def test_a_config_without_layers(config: bytes) -> None:
    source = FakeSource()
    described = source.put(config, media_types.OCI_CONFIG)
    data = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": described.to_dict(), "layers": []}
    root = source.put(json.dumps(data).encode(), media_types.OCI_MANIFEST)
    with pytest.raises(AirgapError, match="image 'app': its config names no layers"):
        Loadable.of(source, root, subject="image 'app'")


def test_a_damaged_config(tmp_path: Path) -> None:
    content = CONTENT["api"]
    source = ContentSource(content)
    made = Loadable.of(source, content.descriptor, subject="image 'app'")
    source.content[made.id] = b"{}"
    with pytest.raises(IntegrityError, match="its config is damaged"):
        Loadable.of(source, content.descriptor, subject="image 'app'")


class Taken:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.good: bool | None = None

    def take(self, data: bytes) -> None:
        assert self.good is not False
        self.data += data

    def end(self, *, good: bool) -> None:
        self.good = good


def together() -> tuple[LoadTogether, dict[Digest, bytes]]:
    """Two images that share a layer."""
    base = layer("base", 5000)
    contents = {name: image(base, layer(name, 700)) for name in ("one", "two")}
    images = {Reference.parse(f"registry.example.com/{name}:1"): loadable(each) for name, each in contents.items()}
    return LoadTogether(images), {digest: data for each in contents.values() for digest, data in each.blobs.items()}


def test_several_images_as_one_tar() -> None:
    made, blobs = together()
    assert made.blobs == {digest: len(data) for digest, data in blobs.items()}
    taken = Taken()
    for digest in sorted(made.blobs):  # as they come by
        to = LoadedBlob(digest, made.blobs[digest], taken)
        for at in range(0, len(blobs[digest]), 999):
            to.take(blobs[digest][at : at + 999])
        to.end(good=True)
    assert b"manifest.json" not in taken.data, "no Engine makes an image of what it has by now"
    made.finish(taken)
    assert taken.good
    assert len(taken.data) == made.size
    with tarfile.open(fileobj=io.BytesIO(taken.data)) as tar:
        names = tar.getnames()
        listed = tar.extractfile("manifest.json")
        assert listed
        entries = json.loads(listed.read())
    assert len(names) == len(set(names)) == len(blobs) + 1
    assert [entry["RepoTags"] for entry in entries] == [["registry.example.com/one:1"], ["registry.example.com/two:1"]]
    assert all({entry["Config"], *entry["Layers"]} <= set(names) for entry in entries)


def test_a_damaged_blob_ends_it() -> None:
    _, blobs = together()
    taken = Taken()
    digest, data = next(iter(blobs.items()))
    to = LoadedBlob(digest, len(data), taken)
    to.take(data[:10])
    to.end(good=False)
    assert taken.good is False


def test_an_empty_blob_has_a_place_too() -> None:
    taken = Taken()
    LoadedBlob(Digest.of(b""), 0, taken).end(good=True)
    with tarfile.open(fileobj=io.BytesIO(taken.data + bytes(1024))) as tar:
        assert [member.size for member in tar.getmembers()] == [0]
