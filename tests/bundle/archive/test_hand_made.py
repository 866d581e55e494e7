"""Directories that somebody filled by hand: told from our own, and each image in them read to its end."""

import json
from pathlib import Path

import pytest

from bundle.archive.hand_made import chart_files, image_files, is_hand_made, read_archive_images
from bundle.errors import AirgapError, IntegrityError, SourceError
from bundle.images.layout import REF_NAME
from bundle.meter import SilentMeter
from bundle.oci.descriptor import Descriptor
from bundle.oci.platform import Platform
from bundle.transfer.image import Manifest
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.hand_made import APP, save_image
from tests.fixtures.images.images import AMD64, Image, image, index, layer
from tests.fixtures.images.layers import tar_of
from tests.fixtures.images.layouts import by_links, layout_of_all
from tests.fixtures.images.tars import made
from tests.fixtures.made.made_bundle import CONTENT, PREFIX

ARM64 = Platform.parse("linux/arm64")


def write(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    return place


def saved(place: Path, content: Image = APP) -> Path:
    return save_image(place / "app.tar", "registry.example.com/team/app:1", content)


@pytest.mark.parametrize(
    ("names", "is_one"),
    [
        (["images/a.tar"], True),
        (["charts/a.tgz"], True),
        (["images/a.tar.gz", "notes.txt"], True),
        (["images/a.txt", "charts/a.zip"], False),
        (["images/a.tar", "manifest.json"], False),
        (["images/a.tar", "SHA256SUMS"], False),
        (["images/a.tar", "airgap.pyz"], False),
        (["images/a.tar/x"], False),
        ([], False),
    ],
)
def test_which_directories_are_made_by_hand(tmp_path: Path, names: list[str], is_one: bool) -> None:
    assert is_hand_made(write(tmp_path, *names)) is is_one


def test_a_file_is_none(tmp_path: Path) -> None:
    assert not is_hand_made(write(tmp_path, "x.tar") / "x.tar")


def test_its_files_in_order(tmp_path: Path) -> None:
    write(tmp_path, "images/b.tar", "images/a.tar.zst", "images/a.txt", "charts/c.tgz", "charts/d/e.tgz")
    assert [path.name for path in image_files(tmp_path)] == ["a.tar.zst", "b.tar"]
    assert [path.name for path in chart_files(tmp_path)] == ["c.tgz"]


def test_an_image_is_read_to_its_end(tmp_path: Path) -> None:
    meter = RecordingMeter()
    (found,) = read_archive_images(saved(tmp_path), meter=meter)
    size = sum(map(len, APP.blobs.values()))
    assert (found.ref, found.platform, found.size) == ("registry.example.com/team/app:1", "linux/amd64", size)
    assert found.file == tmp_path / "app.tar"
    assert meter.moved == meter.expected == size


def test_a_layout_of_links_is_one_of_them_and_its_bad_images_are_listed(tmp_path: Path) -> None:
    """As Bazel makes it: bazel-bin/image, whose blobs lie elsewhere."""
    layout = layout_of_all(tmp_path)
    index_of_all = json.loads((layout / "index.json").read_bytes())
    other = next(each for each in index_of_all["manifests"] if each["annotations"][REF_NAME].endswith("/plain:1.0"))
    other["digest"] = f"blake3:{'a' * 64}"
    (layout / "index.json").write_text(json.dumps(index_of_all))
    by_links(layout)
    assert image_files(tmp_path) == [tmp_path / "elsewhere", layout]
    bad = list[AirgapError]()
    found = read_archive_images(layout, meter=SilentMeter(), bad=bad)
    assert {each.ref for each in found} == {f"{PREFIX}/{name}:1.0" for name in CONTENT if name != "plain"}
    (told,) = bad
    assert f"layout: image '{PREFIX}/plain:1.0': 'blake3:" in told.what


def test_an_artifact_has_no_platform(tmp_path: Path) -> None:
    data = json.loads(APP.raw)
    data["config"]["mediaType"] = "application/vnd.example.config"
    raw = json.dumps(data).encode()
    descriptor = Descriptor(
        media_type=APP.descriptor.media_type, digest=Manifest.parse(raw).descriptor.digest, size=len(raw)
    )
    content = Image(descriptor=descriptor, raw=raw, blobs=APP.blobs, platform=APP.platform)
    (found,) = read_archive_images(saved(tmp_path, content), meter=SilentMeter())
    assert found.platform == ""


def test_a_damaged_layer_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    data, content = bytearray(path.read_bytes()), max(APP.blobs.values(), key=len)
    data[bytes(data).index(content) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        IntegrityError, match=r"^app\.tar: image '.*app:1': sha256:.* is damaged: expected 10240 bytes, found 10240 "
    ):
        read_archive_images(path, meter=SilentMeter())


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no tar", "cut off"), (made(("x", b"0", b"", "")), "is no image archive: it has no 'manifest.json'")],
    ids=["no tar", "another tar"],
)
def test_what_is_no_image_archive(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(SourceError, match=told):
        read_archive_images(tmp_path / "x.tar", meter=SilentMeter())


def several(place: Path, *held: Platform) -> Path:
    """As Docker 25 and later saves an image of which it has pulled these platforms: its index names two."""
    made = [image(layer(f"{each}", 300), platform=each) for each in (AMD64, ARM64)]
    top = index(*made)
    entries = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', f"blobs/sha256/{top.descriptor.digest.hex}": top.raw}
    for each in made:
        if each.platform in held:
            blobs = {each.descriptor.digest: each.raw, **each.blobs}
            entries |= {f"blobs/sha256/{digest.hex}": data for digest, data in blobs.items()}
    named = {**top.descriptor.to_dict(), "annotations": {"io.containerd.image.name": "docker.io/team/app:1"}}
    entries["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    (place / "app.tar").write_bytes(tar_of(entries))
    return place / "app.tar"


@pytest.mark.parametrize(
    ("held", "platform", "partial"),
    [
        ((AMD64,), "linux/amd64", True),
        ((ARM64,), "linux/arm64", True),
        ((AMD64, ARM64), "linux/amd64,linux/arm64", False),
    ],
    ids=["amd64", "arm64", "both"],
)
def test_of_an_index_what_is_there_is_taken(
    tmp_path: Path, held: tuple[Platform, ...], platform: str, partial: bool
) -> None:
    (found,) = read_archive_images(several(tmp_path, *held), meter=SilentMeter())
    assert (found.ref, found.platform, found.partial) == ("docker.io/team/app:1", platform, partial)


def test_an_index_of_nothing_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"app\.tar.* has no sha256"):
        read_archive_images(several(tmp_path), meter=SilentMeter())
