"""A carried bundle read in place: the same content from a directory, an archive and parts; every fault is one error."""

import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.reader import OpenedBundle, fingerprint, open_bundle
from bundle.archive.verify import verify
from bundle.errors import AirgapError, BundleError, FormatError, IntegrityError, SourceError
from bundle.images import layout_source
from bundle.metadata.checksums import SUMS
from bundle.metadata.manifest import Layout
from bundle.oci.digest import Digest
from bundle.transfer.image import ImageSource, is_manifest, reachable
from tests.fixtures.images.images import Index
from tests.fixtures.made.made_bundle import CHART, CONTENT, TOOL, make_bundle

PLACES = ("directory", "archive", "first-part", "last-part", "list")


def placed(place: Path, where: str, layout: Layout = "oci") -> Path:
    """A bundle in one of its forms, the others gone."""
    root = make_bundle(place, layout)
    if where == "directory":
        return root
    archive = place / "demo-1.2.tar"
    packed = pack(root, archive, epoch=0, split=None if where == "archive" else 10_000)
    shutil.rmtree(root)
    return {"archive": archive, "first-part": packed.parts[0], "last-part": packed.parts[-1], "list": packed.sums}[
        where
    ]


def content(source: ImageSource, bundle: OpenedBundle, name: str) -> dict[Digest, bytes]:
    """Everything of one image, by digest."""
    entry = next(image for image in bundle.manifest.images if image.name == name)
    found = {}
    for each in reachable(entry.root, source.manifest):
        found[each.digest] = source.manifest(each) if is_manifest(each) else b"".join(source.read(each, 0))
    return found


def expected(name: str) -> dict[Digest, bytes]:
    made = CONTENT[name]
    images = made.images if isinstance(made, Index) else (made,)
    blobs = {digest: data for image in images for digest, data in image.blobs.items()}
    return {**blobs, **{Digest.of(each.raw): each.raw for each in (*images, made)}}


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
@pytest.mark.parametrize("where", PLACES)
def test_all_content_in_every_form(tmp_path: Path, where: str, layout: Layout) -> None:
    bundle = open_bundle(placed(tmp_path, where, layout))
    assert (bundle.manifest.name, bundle.manifest.layout) == ("demo", layout)
    assert bundle.read("charts/demo-0.3.0.tgz") == CHART
    assert {"manifest.json", "files/helm"} < set(bundle.names())
    for entry in bundle.manifest.images:
        source = bundle.image(entry)
        assert content(source, bundle, entry.name) == expected(entry.name)
        assert source.resolve().digest == entry.digest


@pytest.mark.parametrize("where", ["directory", "first-part"])
@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_blobs_from_an_offset(tmp_path: Path, where: str, layout: Layout) -> None:
    bundle = open_bundle(placed(tmp_path, where, layout))
    entry = bundle.manifest.images[0]
    source = bundle.image(entry)
    for each in reachable(entry.root, source.manifest):
        if not is_manifest(each):
            whole = expected(entry.name)[each.digest]
            assert b"".join(source.read(each, 7)) == whole[7:]
            assert b"".join(source.read(each, len(whole))) == b""


def test_several_threads(tmp_path: Path) -> None:
    bundle = open_bundle(placed(tmp_path, "first-part"))
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda entry: content(bundle.image(entry), bundle, entry.name), bundle.manifest.images))
    assert images == [expected(entry.name) for entry in bundle.manifest.images]


@pytest.mark.parametrize("where", ["directory", "archive", "first-part"])
def test_extract(tmp_path: Path, where: str) -> None:
    bundle = open_bundle(placed(tmp_path, where))
    target = tmp_path / "out" / "helm"
    bundle.extract("files/helm", target, mode=0o755)
    assert target.read_bytes() == TOOL
    assert os.access(target, os.X_OK)
    assert [path.name for path in target.parent.iterdir()] == ["helm"]


def change(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def test_a_damaged_file_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    path = placed(tmp_path, "archive")
    change(path, TOOL, TOOL.upper())
    bundle = open_bundle(path)
    target = tmp_path / "out" / "helm"
    for give in (lambda: bundle.read("files/helm"), lambda: bundle.extract("files/helm", target)):
        with pytest.raises(IntegrityError, match=rf"demo-1.2.tar.*'files/helm' is damaged.*{Digest.of(TOOL)}"):
            give()
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda root: (root / "files/helm").unlink(), BundleError, "missing: files/helm"),
        (lambda root: change(root / SUMS, b"files/helm", b"files/heln"), BundleError, "not in SHA256SUMS: files/helm"),
    ],
    ids=["gone", "not-listed"],
)
def test_a_file_the_bundle_lacks(
    tmp_path: Path, damage: Callable[[Path], object], error: type[AirgapError], message: str
) -> None:
    root = placed(tmp_path, "directory")
    damage(root)
    bundle = open_bundle(root)
    for give in (lambda: bundle.read("files/helm"), lambda: bundle.extract("files/helm", tmp_path / "x")):
        with pytest.raises(error, match=message):
            give()
    assert not (tmp_path / "x").exists()


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


@pytest.mark.parametrize(
    ("where", "damage", "error", "message"),
    [
        ("directory", lambda path: (path / SUMS).unlink(), BundleError, "missing: SHA256SUMS"),
        ("directory", lambda path: (path / "manifest.json").unlink(), BundleError, "missing: manifest.json"),
        ("directory", lambda path: (path / "manifest.json").write_text("{}"), IntegrityError, "'manifest.json' is dam"),
        ("directory", shutil.rmtree, SourceError, "there is no bundle at"),
        ("archive", lambda path: cut(path, 3000), FormatError, r"demo-1.2.tar'.*cut off"),
        ("archive", lambda path: cut(path, 0), FormatError, r"cut off at byte 0"),
        ("archive", lambda path: path.write_bytes(bytes(10240)), BundleError, "missing: SHA256SUMS"),
        ("archive", lambda path: path.write_bytes(b"x" * 10240), FormatError, "damaged at byte 0"),
        ("first-part", lambda path: path.unlink(), SourceError, r"is missing demo-1.2.tar.001$"),
        ("first-part", lambda path: path.with_suffix(".002").unlink(), SourceError, r"is missing demo-1.2.tar.002$"),
        ("last-part", lambda path: cut(path, 10), FormatError, r"cut off"),
    ],
    ids=[
        "no-sums", "no-manifest", "bad-manifest", "no-bundle", "cut", "empty", "zeros", "no-tar", "no-first-part",
        "no-second-part", "cut-part",
    ],
)  # fmt: skip
def test_what_is_no_whole_bundle(
    tmp_path: Path, where: str, damage: Callable[[Path], object], error: type[AirgapError], message: str
) -> None:
    path = placed(tmp_path, where)
    damage(path)
    with pytest.raises(error) as caught:
        open_bundle(path)
    assert type(caught.value) is error
    first = caught.value.what
    assert re.search(message, str(first), re.MULTILINE)
    assert caught.value.hint


def test_an_image_archive_that_is_cut_off(tmp_path: Path) -> None:
    root = placed(tmp_path, "directory", "docker-archive")
    bundle = open_bundle(root)
    cut(root / "images/api.tar", 2000)
    with pytest.raises(FormatError, match=r"image 'api': 'images/api.tar': tar is cut off"):
        bundle.image(bundle.manifest.images[0])
    (root / "images/api.tar").unlink()
    with pytest.raises(BundleError, match=r"missing: images/api\.tar"):
        bundle.image(bundle.manifest.images[0])


def test_a_manifest_that_is_damaged_is_never_given(tmp_path: Path) -> None:
    path = placed(tmp_path, "archive", "docker-archive")
    raw = CONTENT["api"].raw
    change(path, raw, raw.replace(b"2", b"3", 1))
    bundle = open_bundle(path)
    entry = bundle.manifest.images[0]
    with pytest.raises(IntegrityError, match=r"image 'api': its manifest is damaged"):
        bundle.image(entry).manifest(entry.root)


def rewrite(path: Path) -> None:
    """The same bytes and the same time of writing, in the same file."""
    stat, data = path.stat(), path.read_bytes()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replace(path: Path) -> None:
    """Another file in its place, of the same bytes and the same times."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    os.replace(copy, path)


def longer(path: Path) -> None:
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"x")


@pytest.mark.parametrize(
    ("where", "file"),
    [("directory", "demo-1.2/files/helm"), ("archive", "demo-1.2.tar"), ("first-part", "demo-1.2.tar.002")],
)
@pytest.mark.parametrize(
    "change_it",
    [longer, rewrite, replace, Path.unlink, lambda path: os.utime(path, ns=(0, 0))],
    ids=["longer", "time-put-back", "replaced", "gone", "touched"],
)
def test_a_fingerprint_tells_changes(
    tmp_path: Path, where: str, file: str, change_it: Callable[[Path], object]
) -> None:
    path = placed(tmp_path, where)
    first = fingerprint(path)
    assert fingerprint(path) == first
    change_it(tmp_path / file)
    assert (fingerprint(path) if path.exists() else None) != first


def test_a_fingerprint_covers_the_list_of_parts(tmp_path: Path) -> None:
    path = placed(tmp_path, "list")
    first = fingerprint(path)
    assert fingerprint(tmp_path / "demo-1.2.tar.001") == first
    rewrite(path)
    assert fingerprint(path) != first


@pytest.mark.parametrize(("where", "file"), [("directory", "demo-1.2/files/more"), ("first-part", "demo-1.2.tar.999")])
def test_a_fingerprint_tells_what_is_new(tmp_path: Path, where: str, file: str) -> None:
    path = placed(tmp_path, where)
    first = fingerprint(path)
    longer(tmp_path / file)
    assert fingerprint(path) != first


def test_a_fingerprint_reads_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = placed(tmp_path, "directory")

    def refuse(*args: object, **named: object) -> None:
        raise AssertionError(f"opened {args}")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    fingerprint(root)


def test_a_fingerprint_needs_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no bundle"):
        fingerprint(tmp_path / "nothing.tar")


@pytest.mark.parametrize("where", ["directory", "archive"])
def test_what_was_compared_is_remembered(tmp_path: Path, where: str) -> None:
    bundle = open_bundle(placed(tmp_path, where))
    assert bundle.compared == {"manifest.json"}
    bundle.read("charts/demo-0.3.0.tgz")
    bundle.extract("files/helm", tmp_path / "helm")
    assert bundle.compared == {"manifest.json", "charts/demo-0.3.0.tgz", "files/helm"}
    assert bundle.listed("files/helm") == bundle.digest("files/helm")
    assert bundle.listed("files/other") is None


@pytest.mark.parametrize("where", ["directory", "archive", "first-part"])
def test_where_the_blobs_of_an_archived_image_lie(tmp_path: Path, where: str) -> None:
    bundle = open_bundle(placed(tmp_path, where, "docker-archive"))
    entry = next(image for image in bundle.manifest.images if image.name == "api")
    places = bundle.blobs(entry, entry.file)
    assert entry.blobs.keys() | {entry.digest} <= places.keys()
    bundle.extract(entry.file, tmp_path / "image.tar")
    data = (tmp_path / "image.tar").read_bytes()
    assert all(digest.matches(data[each.offset : each.offset + each.size]) for digest, each in places.items())


@pytest.mark.parametrize("where", ["directory", "archive", "first-part"])
def test_the_list_of_images_is_read_once_for_all_of_them(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read for each of a thousand images it costs a million entries."""
    reads: list[object] = []
    read_index = layout_source.read_index
    monkeypatch.setattr(layout_source, "read_index", lambda tree: reads.append(tree) or read_index(tree))
    path = placed(tmp_path, where)
    bundle = open_bundle(path)
    for entry in bundle.manifest.images:
        assert bundle.image(entry).resolve().digest == entry.digest
    assert len(bundle.manifest.images) > 1
    assert len(reads) == 1
    reads.clear()
    assert verify(path).findings == ()
    assert len(reads) == 1
