import gzip
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import AirgapError, IntegrityError, SourceError
from bundle.images.layout import blob_name, place_image, write_index
from bundle.images.local import open_local
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import LocalImage
from bundle.storage.blob_store import BlobStore
from bundle.transfer.image import ImageSource, Manifest, is_manifest, reachable
from tests.fixtures.made.images import image, layer
from tests.fixtures.made.made_bundle import CONTENT, PREFIX, stored


def fetched(source: ImageSource, store: BlobStore) -> Descriptor:
    """Take a whole image from a source into the store, everything verified on the way."""
    root = source.resolve()
    for each in reachable(root, source.manifest):
        if is_manifest(each):
            store.put(source.manifest(each))
        else:
            store.fetch(each, partial(source.read, each), subject="image")
    return root


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of all images."""
    store = BlobStore(tmp_path / "cache")
    images = [stored(store, name) for name in CONTENT]
    for each in images:
        place_image(tmp_path / "layout", each, store)
    write_index(tmp_path / "layout", images)
    return tmp_path / "layout"


def opened(path: Path, ref: str = "", transport: str = "oci") -> ImageSource:
    return open_local(LocalImage(transport=transport, path=path, ref=ref), subject="image 'api' (oci:x)")  # type: ignore[arg-type]


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


def _drop(name: str) -> Callable[[Path], None]:
    return lambda layout: (layout / name).unlink()


def _text(name: str, text: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        (layout / name).unlink()
        (layout / name).write_text(text)

    return change


API = blob_name(CONTENT["api"].descriptor.digest)


@pytest.mark.parametrize(
    ("ref", "damage", "what"),
    [
        pytest.param(
            "", lambda layout: None, "exactly one image; it has: internal.*api:1.0, .*next: add", id="several"
        ),
        pytest.param("nothing", lambda layout: None, "no image 'nothing'; it has: .*plain:1.0", id="unknown ref"),
        pytest.param("x", _drop("oci-layout"), "is no OCI image layout: it has no oci-layout", id="no oci-layout"),
        pytest.param("x", _drop("index.json"), "is no OCI image layout: it has no index.json", id="no index"),
        pytest.param("x", _text("oci-layout", '{"imageLayoutVersion": "9"}'), "imageLayoutVersion '9'", id="version"),
        pytest.param("x", _text("index.json", "{"), "index.json is not JSON", id="no json"),
        pytest.param("x", _text("index.json", "[]"), "not a JSON object", id="no object"),
        pytest.param("x", _text("index.json", '{"manifests": 1}'), "no list of manifests", id="no list"),
        pytest.param("x", _text("index.json", '{"manifests": [{}]}'), "lacks a mediaType", id="no descriptor"),
        pytest.param(f"{PREFIX}/api:1.0", _drop(API), "lacks sha256:.*which its manifest names", id="no manifest"),
        pytest.param(f"{PREFIX}/api:1.0", _text(API, "{}"), "manifest is damaged: expected sha256", id="damaged"),
        pytest.param(
            f"{PREFIX}/api:1.0",
            _drop(blob_name(Manifest.parse(CONTENT["api"].raw).layers[1].digest)),
            "lacks sha256:.*its manifest names",
            id="no layer",
        ),
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


def test_a_link_out_of_the_layout_is_not_followed(layout: Path) -> None:
    (layout.parent / "outside").write_bytes(CONTENT["api"].raw)
    (layout / API).unlink()
    (layout / API).symlink_to(layout.parent / "outside")
    with pytest.raises(SourceError, match="lacks sha256"):
        fetched(opened(layout, f"{PREFIX}/api:1.0"), BlobStore(layout.parent / "other"))


@pytest.mark.parametrize(
    ("transport", "what"),
    [("oci", "is not a directory"), ("oci-archive", "there is no file"), ("docker-archive", "there is no file")],
)
def test_nothing_there(tmp_path: Path, transport: str, what: str) -> None:
    with pytest.raises(SourceError, match=rf"(?s)image 'api'.*{what}.*next: check the path"):
        opened(tmp_path / "nothing", transport=transport)


@pytest.mark.parametrize(
    ("compress", "what"),
    [
        (gzip.compress, "compressed with gzip.*next: run `gunzip --keep x.tar`"),
        (lzma.compress, "compressed with xz.*next: run `unxz"),
        (lambda data: data[:700], "tar is cut off.*next: copy or build"),
        (lambda data: b"", "tar is cut off at byte 0"),
    ],
    ids=["gzip", "xz", "cut", "empty"],
)
def test_archives_that_cannot_be_read_in_place(layout: Path, compress: Callable[[bytes], bytes], what: str) -> None:
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    path = layout.parent / "x.tar"
    path.write_bytes(compress(path.read_bytes()))
    with pytest.raises(SourceError, match=rf"(?s)image 'api'.*{what}"):
        opened(path, transport="oci-archive")


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_an_archive_of_a_layout_by_tar(layout: Path, transport: str) -> None:
    """As `tar -cf x.tar .` makes it: names begin with ./ and directories have entries."""
    shutil.make_archive(str(layout.parent / "x"), "tar", layout)
    source = opened(layout.parent / "x.tar", f"{PREFIX}/docker:1.0", transport)
    assert fetched(source, BlobStore(layout.parent / "other")) == CONTENT["docker"].descriptor


def save(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A tar of these files; a text is the target of a link."""
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


LAYERS = [layer("one", 40, compressed=False), layer("two", 50, compressed=False)]
CONFIG = image(*LAYERS).blobs[Manifest.parse(image(*LAYERS).raw).config.digest]
SAVED: dict[str, bytes | str] = {
    "manifest.json": json.dumps(
        [{"Config": "c.json", "RepoTags": ["app:1", "example.com/app:2"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    ).encode(),
    "c.json": CONFIG,
    "1/layer.tar": LAYERS[0].data,
    "real.tar": LAYERS[1].data,
    "2/layer.tar": "../real.tar",
}


@pytest.mark.parametrize("ref", ["", "app:1", "docker.io/library/app:1", "example.com/app:2"])
def test_a_saved_image_gets_a_manifest(tmp_path: Path, ref: str) -> None:
    source = opened(save(tmp_path / "x.tar", SAVED), ref, "docker-archive")
    store = BlobStore(tmp_path / "store")
    root = fetched(source, store)
    manifest = Manifest.parse(store.get(root.digest) or b"")
    assert manifest.config == Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(CONFIG), size=len(CONFIG))
    assert [(each.digest, each.media_type) for each in manifest.layers] == [
        (each.diff_id, media_types.OCI_LAYER) for each in LAYERS
    ]
    assert [store.get(each.digest) for each in manifest.layers] == [each.data for each in LAYERS]
    again = opened(save(tmp_path / "y.tar", dict(reversed(SAVED.items()))), ref, "docker-archive")
    assert again.manifest(root) == manifest.raw  # by digest, without resolving first


def test_compressed_layers_are_taken_as_they_are(tmp_path: Path) -> None:
    packed = gzip.compress(LAYERS[0].data, mtime=0)
    source = opened(save(tmp_path / "x.tar", {**SAVED, "1/layer.tar": packed}), transport="docker-archive")
    root = fetched(source, BlobStore(tmp_path / "store"))
    first = Manifest.parse(source.manifest(root)).layers[0]
    assert first == Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(packed), size=len(packed))


def test_another_image_than_was_locked_is_refused(tmp_path: Path) -> None:
    source = opened(save(tmp_path / "x.tar", SAVED), transport="docker-archive")
    with pytest.raises(SourceError, match=r"(?s)another image than it did: expected sha256.*next: .*doit lock"):
        source.manifest(replace(source.resolve(), digest=Digest.of(b"")))
    with pytest.raises(SourceError, match="has no sha256"):
        next(source.read(replace(source.resolve(), digest=Digest.of(b"")), 0))


def _manifest(**change: object) -> bytes:
    assert isinstance(SAVED["manifest.json"], bytes)
    return json.dumps([{**json.loads(SAVED["manifest.json"])[0], **change}]).encode()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"manifest.json": b"{}"}, "manifest.json is not a list of images", id="no list"),
        pytest.param({"manifest.json": b"["}, "manifest.json is not JSON", id="no json"),
        pytest.param({"manifest.json": b"[]"}, "exactly one image; it has: none", id="empty"),
        pytest.param({"manifest.json": _manifest(Layers=None)}, "without Config or Layers", id="no layers"),
        pytest.param(
            {"manifest.json": _manifest(Layers=["1/layer.tar"])}, "names 2 layers, manifest.json 1", id="count"
        ),
        pytest.param({"manifest.json": _manifest(Config="../c.json")}, "lacks '../c.json'", id="config leads out"),
        pytest.param({"2/layer.tar": "/etc/passwd"}, "lacks '2/layer.tar'", id="link leads out"),
        pytest.param({"c.json": b'{"rootfs": {}}'}, "no list of diff_ids", id="no diff_ids"),
        pytest.param({"1/layer.tar": b"BZh9"}, "bzip2 or xz", id="bzip2"),
        pytest.param({"1/layer.tar": b"x" * len(LAYERS[0].data)}, "does not have its digest", id="swapped layer"),
        pytest.param({"/etc/x": b""}, "leads out of its directory", id="absolute"),
    ],
)
def test_saved_images_that_are_not_whole(tmp_path: Path, change: dict[str, bytes | str], what: str) -> None:
    path = save(tmp_path / "x.tar", {**SAVED, **change})
    with pytest.raises(AirgapError, match=what):
        fetched(opened(path, transport="docker-archive"), BlobStore(tmp_path / "store"))


def test_several_saved_images_want_a_ref(tmp_path: Path) -> None:
    both = json.loads(_manifest()) + json.loads(_manifest(RepoTags=["other:1"])) + json.loads(_manifest(RepoTags=None))
    path = save(tmp_path / "x.tar", {**SAVED, "manifest.json": json.dumps(both).encode()})
    with pytest.raises(SourceError, match=r"it has: app:1, example\.com/app:2, other:1"):
        opened(path, transport="docker-archive").resolve()
    assert (
        opened(path, "other:1", "docker-archive").resolve().digest
        == opened(save(tmp_path / "y.tar", SAVED), transport="docker-archive").resolve().digest
    )
