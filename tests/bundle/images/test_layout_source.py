"""An image that lies in a layout: found by its names, read from any offset, refused where it is damaged."""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import AirgapError, IntegrityError, SourceError
from bundle.images.layout import LayoutImage, blob_name, place_image, write_index
from bundle.images.layout_source import LayoutSource, layout_names
from bundle.images.local import names_in
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.storage.tree import DirectoryTree, TarTree, index_members
from bundle.storage.volume import Part, Volume
from bundle.transfer.fetch import fetch_image
from bundle.transfer.image import Manifest
from bundle.transfer.transfers import Transfers
from tests.fixtures.images.layouts import by_links, fetched, layout_of_all, opened
from tests.fixtures.made.made_bundle import CONTENT, PREFIX


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of all images."""
    return layout_of_all(tmp_path)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file; `change` edits its value, or returns another one."""
    value = json.loads(path.read_bytes())
    path.write_text(json.dumps(change(value) or value))


def only_one(index: Any) -> None:
    index["manifests"] = index["manifests"][:1]


def test_the_only_image_needs_no_ref(layout: Path) -> None:
    edit(layout / "index.json", only_one)
    assert opened(layout).resolve() == CONTENT["api"].descriptor


@pytest.mark.parametrize("ref", [f"{PREFIX}/multi:1.0", "short", "docker.io/library/app:latest", "app"])
def test_images_are_found_by_any_name(layout: Path, ref: str) -> None:
    def rename(index: Any) -> None:
        entry = next(e for e in index["manifests"] if e["mediaType"] == media_types.OCI_INDEX)
        entry["annotations"]["org.opencontainers.image.ref.name"] = f"{PREFIX}/multi:1.0" if "multi" in ref else "short"
        entry["annotations"]["io.containerd.image.name"] = "docker.io/library/app:latest"

    edit(layout / "index.json", rename)
    source = opened(layout, ref)
    assert source.resolve() == CONTENT["multi"].descriptor
    assert fetched(source, BlobStore(layout.parent / "other")) == CONTENT["multi"].descriptor


def unnamed(index: Any) -> None:
    """No image has a name; one that has a platform says it."""
    for entry in index["manifests"]:
        entry.pop("annotations", None)
    index["manifests"][0]["platform"] = {"os": "linux", "architecture": "amd64"}


def test_one_without_a_name_needs_none(layout: Path) -> None:
    edit(layout / "index.json", only_one)
    edit(layout / "index.json", unnamed)
    assert opened(layout).resolve() == CONTENT["api"].descriptor
    assert layout_names(DirectoryTree(layout)) == ("",)


def test_those_without_a_name_are_listed_so_that_each_can_be_chosen(layout: Path) -> None:
    edit(layout / "index.json", unnamed)
    with pytest.raises(SourceError, match="does not hold exactly one image") as caught:
        opened(layout).resolve()
    refs = [each.partition(" ")[0] for each in caught.value.what.partition("it has: ")[2].split(", ")]
    assert {opened(layout, ref).resolve().digest for ref in refs} == {
        each.descriptor.digest for each in CONTENT.values()
    }
    assert f"@{CONTENT['api'].descriptor.digest} (linux/amd64)" in caught.value.what
    assert set(layout_names(DirectoryTree(layout))) == set(refs)
    assert opened(layout, "@0").resolve() == CONTENT["api"].descriptor


def test_one_platform_of_an_index_by_its_digest(layout: Path) -> None:
    child = Manifest.parse(CONTENT["multi"].raw).manifests[1]
    assert opened(layout, f"@{child.digest}").resolve().digest == child.digest


def test_two_that_share_a_name_are_told_apart(layout: Path) -> None:
    def share(index: Any) -> None:
        for entry in index["manifests"]:
            entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}

    edit(layout / "index.json", share)
    with pytest.raises(SourceError, match=rf"has no one image '1'; it has: .*1@{CONTENT['api'].descriptor.digest}"):
        opened(layout, "1").resolve()
    assert opened(layout, f"1@{CONTENT['api'].descriptor.digest}").resolve() == CONTENT["api"].descriptor


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"digest": f"sha256:{'a' * 64}", "size": 3}, id="no media type"),
        pytest.param({"mediaType": "x", "digest": f"blake3:{'a' * 64}", "size": 3}, id="another hash"),
        pytest.param({"mediaType": "x", "digest": f"sha256:{'a' * 64}", "size": 3}, id="no manifest"),
    ],
)
def test_an_entry_that_can_not_be_read_is_no_matter_of_the_others(layout: Path, entry: dict[str, object]) -> None:
    edit(layout / "index.json", lambda index: index["manifests"].append(entry))
    assert opened(layout, f"{PREFIX}/api:1.0").resolve() == CONTENT["api"].descriptor


def test_an_image_by_sha512_is_taken_and_written_again(layout: Path) -> None:
    def put(data: bytes, media_type: str) -> Descriptor:
        digest = Digest(algorithm="sha512", hex=hashlib.sha512(data).hexdigest())
        (layout / blob_name(digest)).parent.mkdir(exist_ok=True)
        (layout / blob_name(digest)).write_bytes(data)
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    config, layer = put(b"{}", media_types.OCI_CONFIG), put(b"layer", media_types.OCI_LAYER)
    parts = {"config": config.to_dict(), "layers": [layer.to_dict()]}
    root = put(json.dumps({"schemaVersion": 2, **parts}).encode(), media_types.OCI_MANIFEST)
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root.to_dict()]}))
    store = BlobStore(layout.parent / "other")
    fetch_image(opened(layout), root, store, subject="image 'api'", meter=SilentMeter(), transfers=Transfers(1))
    image = LayoutImage(name="api", reference=Reference.parse(f"{PREFIX}/api:1.0"), root=root)
    place_image(layout.parent / "written", image, store)
    write_index(layout.parent / "written", [image])
    assert opened(layout.parent / "written", f"{PREFIX}/api:1.0").resolve() == root
    assert (layout.parent / "written" / blob_name(layer.digest)).read_bytes() == b"layer"


def test_one_whose_digest_is_of_another_algorithm_is_named(layout: Path) -> None:
    def blake3(index: Any) -> None:
        entry = next(e for e in index["manifests"] if e["digest"] == str(CONTENT["api"].descriptor.digest))
        entry["digest"] = f"blake3:{'a' * 64}"

    edit(layout / "index.json", blake3)
    assert f"{PREFIX}/api:1.0" in layout_names(DirectoryTree(layout))
    what = r"'blake3:a+' is not a digest by sha256 or sha512 but by blake3, which is not supported\n.*sha256 digests"
    with pytest.raises(SourceError, match=what):
        opened(layout, f"{PREFIX}/api:1.0").resolve()
    edit(layout / "index.json", lambda index: {"manifests": [{**index["manifests"][0], "digest": "blake3:ab"}]})
    with pytest.raises(SourceError, match="by blake3, which is not supported"):
        opened(layout).resolve()


def _drop(name: str) -> Callable[[Path], None]:
    return lambda layout: (layout / name).unlink()


def _text(name: str, text: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        (layout / name).unlink()
        (layout / name).write_text(text)

    return change


API = blob_name(CONTENT["api"].descriptor.digest)
LAYER = blob_name(Manifest.parse(CONTENT["api"].raw).layers[1].digest)


@pytest.mark.parametrize(
    ("ref", "damage", "what"),
    [
        pytest.param(
            "", lambda layout: None, "exactly one image; it has: internal.*api:1.0, .*next: add", id="several"
        ),
        pytest.param("nothing", lambda layout: None, "no one image 'nothing'; it has: .*plain:1.0", id="unknown ref"),
        pytest.param("x", _drop("oci-layout"), "is no OCI image layout: it has no oci-layout", id="no oci-layout"),
        pytest.param("x", _drop("index.json"), "is no OCI image layout: it has no index.json", id="no index"),
        pytest.param("x", _text("oci-layout", '{"imageLayoutVersion": "9"}'), "imageLayoutVersion '9'", id="version"),
        pytest.param("x", _text("index.json", "{"), "index.json is not JSON", id="no json"),
        pytest.param("x", _text("index.json", "[]"), "not a JSON object", id="no object"),
        pytest.param("x", _text("index.json", '{"manifests": 1}'), "no list of manifests", id="no list"),
        pytest.param("x", _text("index.json", '{"manifests": [{}]}'), "has no mediaType", id="no descriptor"),
        pytest.param(f"{PREFIX}/api:1.0", _drop(API), "has no sha256:.*which its manifest names", id="no manifest"),
        pytest.param(f"{PREFIX}/api:1.0", _text(API, "{}"), "manifest is damaged: expected sha256", id="damaged"),
        pytest.param(f"{PREFIX}/api:1.0", _drop(LAYER), "has no sha256:.*its manifest names", id="no layer"),
    ],
)
def test_what_is_wrong_is_told_with_the_image(
    layout: Path, ref: str, damage: Callable[[Path], None], what: str
) -> None:
    damage(layout)
    with pytest.raises(AirgapError, match=rf"(?s)^image 'api' \(oci:x\).*{what}"):
        fetched(opened(layout, ref), BlobStore(layout.parent / "other"))


def test_a_layer_that_was_swapped_is_not_taken(layout: Path) -> None:
    last = Manifest.parse(CONTENT["api"].raw).layers[1]
    _text(blob_name(last.digest), "x" * last.size)(layout)
    with pytest.raises(IntegrityError):
        fetched(opened(layout, f"{PREFIX}/api:1.0"), BlobStore(layout.parent / "other"))


def test_blobs_that_are_links_are_taken_where_the_digest_fits(layout: Path) -> None:
    elsewhere = by_links(layout)
    assert set(names_in(layout, subject="layout")) == {f"{PREFIX}/{name}:1.0" for name in CONTENT}
    for name in CONTENT:
        taken = fetched(opened(layout, f"{PREFIX}/{name}:1.0"), BlobStore(layout.parent / "other"))
        assert taken == CONTENT[name].descriptor
    _text(API, "{}")(elsewhere)
    with pytest.raises(IntegrityError, match="manifest is damaged"):
        fetched(opened(layout, f"{PREFIX}/api:1.0"), BlobStore(layout.parent / "third"))


def test_blobs_in_a_directory_that_is_a_link(layout: Path) -> None:
    (layout / "blobs").rename(layout.parent / "elsewhere")
    (layout / "blobs").symlink_to("../elsewhere")
    assert opened(layout, f"{PREFIX}/api:1.0").resolve() == CONTENT["api"].descriptor
    (layout.parent / "elsewhere").rename(layout.parent / "moved")
    with pytest.raises(
        SourceError, match=r"is behind a link to '\.\./elsewhere': No such file or directory.*\n.*cp -rL"
    ):
        fetched(opened(layout, f"{PREFIX}/api:1.0"), BlobStore(layout.parent / "other"))


@pytest.mark.parametrize("blob", [API, LAYER], ids=["manifest", "layer"])
@pytest.mark.parametrize(
    ("target", "what"),
    [
        pytest.param("/nowhere/at/all", "No such file or directory", id="dangling"),
        pytest.param("loop", "Too many levels of symbolic links", id="loop"),
        pytest.param("..", "not a regular file", id="directory"),
        pytest.param("/dev/zero", "not a regular file", id="device"),
    ],
)
def test_a_link_that_leads_to_no_file(layout: Path, blob: str, target: str, what: str) -> None:
    (layout / blob).with_name("loop").symlink_to("loop")
    (layout / blob).unlink()
    (layout / blob).symlink_to(target)
    with pytest.raises(SourceError, match=rf"'{blob}' is behind a link to '{target}': {what}") as caught:
        fetched(opened(layout, f"{PREFIX}/api:1.0"), BlobStore(layout.parent / "other"))
    assert "cp -rL" in caught.value.hint


def test_in_a_bundle_a_link_out_is_not_followed(layout: Path) -> None:
    by_links(layout)
    with pytest.raises(SourceError, match="is no OCI image layout: it has no oci-layout"):
        LayoutSource(DirectoryTree(layout), f"{PREFIX}/api:1.0", "image 'api'").resolve()


DATA = os.urandom(10_000_000)


@pytest.mark.parametrize("packed", [False, True], ids=["directory", "tar"])
@pytest.mark.parametrize("offset", [0, 7, len(DATA)])
def test_bytes_of_a_blob(tmp_path: Path, packed: bool, offset: int) -> None:
    root, digest = tmp_path / "layout", Digest.of(DATA)
    path = root / "blobs" / "sha256" / digest.hex
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    with tarfile.open(tmp_path / "layout.tar", "w") as tar:
        tar.add(root, ".")
    volume = Volume([Part(path=tmp_path / "layout.tar")])
    source = LayoutSource(TarTree(volume, index_members(volume)) if packed else DirectoryTree(root), "", "image 'app'")
    blob = Descriptor(media_type="x", digest=digest, size=len(DATA))
    assert b"".join(source.read(blob, offset)) == DATA[offset:]
    absent = Descriptor(media_type="x", digest=Digest.of(b"other"), size=5)
    with pytest.raises(SourceError, match="image 'app' has no sha256:"):
        next(source.read(absent, 0))
