import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.verify import VerifyReport, verify
from bundle.errors import BundleError, FormatError, SourceError
from bundle.metadata.base import Base
from bundle.metadata.checksums import SUMS, hash_files, list_files, write_sums
from bundle.metadata.delta import Delta
from bundle.metadata.manifest import BundleManifest, Layout
from bundle.metadata.names import MANIFEST
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from tests.fixtures.made.images import Image
from tests.fixtures.made.made_bundle import CHART, CONTENT, PREFIX, make_bundle
from tests.fixtures.made.receipts import RECEIPT

API_BLOB = f"images/blobs/sha256/{list(CONTENT['api'].blobs)[-1].hex}"  # type: ignore[union-attr]
SHARED_BLOB = f"images/blobs/sha256/{list(CONTENT['api'].blobs)[1].hex}"  # type: ignore[union-attr]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


def found(path: Path) -> list[str]:
    return [str(finding) for finding in verify(path).findings]


def flip(path: Path, at: int = -1) -> None:
    """Change one bit of a file, whoever else it is linked with."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()
    path.write_bytes(data)


def relist(root: Path) -> None:
    """Make SHA256SUMS fit what is there."""
    write_sums(root / SUMS, hash_files(root, list_files(root)))


def packed(root: Path, split: int | None = None) -> Path:
    return pack(root, root.with_name("demo-1.2.tar"), epoch=0, split=split).parts[0]


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
def test_a_good_bundle_is_good(tmp_path: Path, layout: str, form: str) -> None:
    root = make_bundle(tmp_path, layout)  # type: ignore[arg-type]
    path = root if form == "directory" else packed(root, split=None if form == "archive" else 5000)
    report = verify(path)
    report.raise_if_bad()
    assert (report.findings, report.notes) == ((), ())
    assert report.files == len(list(list_files(root))) + 1
    assert report.size >= sum(file.stat().st_size for file in root.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", ["demo-1.2.tar.001", "demo-1.2.tar.003", "demo-1.2.tar", "demo-1.2.tar.sha256"])
def test_any_name_of_an_archive_will_do(root: Path, name: str) -> None:
    packed(root, split=5000)
    report = verify(root.with_name(name))
    assert report.findings == ()
    assert report.files > 10


def test_a_directory_lists_everything_at_once(root: Path) -> None:
    flip(root / SHARED_BLOB)
    (root / "charts/demo-0.3.0.tgz").unlink()
    (root / "images/left over").write_bytes(b"")
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "files/pipe")
    assert sorted(line.partition(", found")[0] for line in found(root)) == [
        f"damaged: {SHARED_BLOB} (of image 'api', image 'docker'): expected sha256:{SHARED_BLOB[-64:]}",
        "extra: images/left over: expected only what SHA256SUMS lists",
        "missing: charts/demo-0.3.0.tgz (of chart 'demo')",
        "unsafe: files/pipe: expected a file",
        "unsafe: link: expected a file",
    ]
    with pytest.raises(BundleError, match=r"(?s)demo-1\.2.*is not good \(5 found.*missing: charts.*next: carry"):
        verify(root).raise_if_bad()


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        pytest.param(lambda r: (r / SUMS).unlink(), "missing: SHA256SUMS", id="no list"),
        pytest.param(lambda r: (r / SUMS).write_text("x\n"), "unreadable: SHA256SUMS", id="bad list"),
        pytest.param(lambda r: (r / MANIFEST).unlink(), "missing: manifest.json", id="no manifest"),
        pytest.param(lambda r: (r / MANIFEST).write_text('{"format": 9}'), "manifest.json has format 9", id="format"),
        pytest.param(lambda r: (r / API_BLOB).unlink(), f"missing: {API_BLOB} (of image 'api')", id="no blob"),
        pytest.param(lambda r: (r / "images/index.json").unlink(), "missing: images/index.json", id="no index"),
        pytest.param(lambda r: flip(r / "files/helm"), "damaged: files/helm (of file 'helm')", id="tool"),
    ],
)
def test_one_fault_is_named(root: Path, damage: Callable[[Path], object], finding: str) -> None:
    damage(root)
    assert any(finding in line for line in found(root)), found(root)


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        pytest.param(
            lambda r: (r / API_BLOB).unlink(), f"unlisted: {API_BLOB} (of image 'api'): expected a line", id="no blob"
        ),
        pytest.param(
            lambda r: flip(r / API_BLOB),
            f"damaged: {API_BLOB} (of image 'api'): expected sha256:{API_BLOB[-64:]}",
            id="blob",
        ),
        pytest.param(
            lambda r: flip(r / f"images/blobs/sha256/{CONTENT['api'].descriptor.digest.hex}"),
            "damaged: image 'api'",
            id="manifest of an image",
        ),
        pytest.param(
            lambda r: (r / "images/index.json").write_text('{"manifests": []}'),
            "team/api:1.0 in images/index.json (of image 'api')",
            id="index names nothing",
        ),
        pytest.param(
            lambda r: (r / "images/index.json").write_text("[]"), "unreadable: images/index.json", id="index is none"
        ),
        pytest.param(lambda r: (r / "images/oci-layout").unlink(), "unlisted: images/oci-layout", id="no oci-layout"),
        pytest.param(
            lambda r: (r / "charts/demo-0.3.0.tgz.prov").unlink(), "unlisted: charts/demo-0.3.0.tgz.prov", id="prov"
        ),
        pytest.param(
            lambda r: flip(r / "charts/demo-0.3.0.tgz"), "damaged: charts/demo-0.3.0.tgz (of chart", id="chart"
        ),
        pytest.param(
            lambda r: (r / "sbom/api.cdx.json").unlink(),
            "unlisted: sbom/api.cdx.json (of image 'api'): expected a line",
            id="sbom",
        ),
        pytest.param(lambda r: (r / MANIFEST).unlink(), "missing: manifest.json", id="no manifest"),
    ],
)
@pytest.mark.parametrize("form", ["directory", "archive"])
def test_a_list_that_hides_a_fault_is_found_out(
    root: Path, damage: Callable[[Path], object], finding: str, form: str
) -> None:
    damage(root)
    relist(root)
    path = packed(root) if form == "archive" else root
    assert any(finding in line for line in found(path)), found(path)


def point_at(root: Path, name: str, descriptor: Descriptor) -> None:
    """Make index.json name another manifest for an image."""
    path = root / "images/index.json"
    index = json.loads(path.read_bytes())
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"].endswith(f"/{name}:1.0"):
            entry |= {"digest": str(descriptor.digest), "size": descriptor.size}
    path.write_text(json.dumps(index))


def test_an_index_that_names_another_image(root: Path) -> None:
    expected, other = CONTENT["api"].descriptor, CONTENT["plain"].descriptor
    point_at(root, "api", other)
    relist(root)
    assert f"expected {expected.digest}, found {other.digest}" in found(root)[0]
    assert "(of image 'api')" in found(root)[0]


def test_a_blob_of_another_size_than_its_manifest_says(root: Path) -> None:
    size = (root / SHARED_BLOB).stat().st_size
    raw = CONTENT["api"].raw.replace(b'"size":%d' % size, b'"size":%d' % (size + 1), 1)
    changed = replace(CONTENT["api"].descriptor, digest=Digest.of(raw), size=len(raw))
    (root / f"images/blobs/sha256/{changed.digest.hex}").write_bytes(raw)
    point_at(root, "api", changed)
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    blobs = {blob: of + SHARED_BLOB.endswith(blob.hex) for blob, of in manifest.images[0].blobs.items()}
    images = (replace(manifest.images[0], digest=changed.digest, blobs=blobs), *manifest.images[1:])
    (root / MANIFEST).write_bytes(replace(manifest, images=images).encode())
    relist(root)
    lines = found(root)
    assert lines == [
        f"damaged: {SHARED_BLOB} (of image 'api', image 'docker'): expected {size + 1} bytes, found {size} bytes"
    ]


def test_an_image_archive_that_the_list_lacks(tmp_path: Path) -> None:
    root = make_bundle(tmp_path, "docker-archive")
    (root / "images/api.tar").unlink()
    relist(root)
    assert found(root) == ["unlisted: images/api.tar (of image 'api'): expected a line in SHA256SUMS"]


def test_a_bad_part_is_named_and_so_is_what_is_in_it(root: Path) -> None:
    parts = pack(root, root.with_name("demo-1.2.tar"), epoch=0, split=5000).parts
    number, at = divmod(b"".join(part.read_bytes() for part in parts).index(CHART), 5000)
    flip(parts[number], at)
    lines = found(parts[0])
    assert [line.partition(": expected")[0] for line in lines] == [
        f"damaged: {parts[number].name}",
        "damaged: charts/demo-0.3.0.tgz (of chart 'demo')",
    ]


def test_a_part_that_is_cut_off(root: Path) -> None:
    packed(root, split=5000)
    part = root.with_name("demo-1.2.tar.002")
    part.write_bytes(part.read_bytes()[:-700])
    report = verify(part)
    assert [finding.item for finding in report.findings] == ["demo-1.2.tar.002"]
    assert "could be read up to its first" in report.notes[0]


def test_missing_and_bad_and_extra_parts(root: Path) -> None:
    packed(root, split=5000)
    root.with_name("demo-1.2.tar.002").unlink()
    flip(root.with_name("demo-1.2.tar.003"))
    root.with_name("demo-1.2.tar.099").write_bytes(b"")
    report = verify(root.with_name("demo-1.2.tar.001"))
    assert [(finding.kind, finding.item[-4:]) for finding in report.findings] == [
        ("missing", ".002"),
        ("extra", ".099"),
        ("damaged", ".003"),
    ]


def test_without_the_list_of_parts_the_content_still_counts(root: Path) -> None:
    archive = packed(root)
    archive.with_name("demo-1.2.tar.sha256").unlink()
    assert verify(archive).findings == ()
    assert "can't be named" in verify(archive).notes[0]
    archive.write_bytes(archive.read_bytes()[:-2000])
    assert found(archive)[0].startswith("unreadable: archive: found tar is cut off")


def test_without_the_list_of_parts_a_gap_is_named(root: Path) -> None:
    packed(root, split=5000)
    root.with_name("demo-1.2.tar.sha256").unlink()
    root.with_name("demo-1.2.tar.002").unlink()
    assert found(root.with_name("demo-1.2.tar.001")) == ["missing: demo-1.2.tar.002"]


def _entry(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    return info, data


@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        pytest.param(_entry("demo-1.2/../../evil"), "unsafe: demo-1.2/../../evil", id="climbs out"),
        pytest.param(_entry("/etc/cron.d/evil"), "unsafe: /etc/cron.d/evil", id="absolute"),
        pytest.param(_entry("other/evil"), "unsafe: other/evil: expected a path below demo-1.2/", id="beside"),
        pytest.param(
            _entry("demo-1.2/l", kind=tarfile.SYMTYPE, target="/etc/passwd"), "unsafe: l: expected a file", id="symlink"
        ),
        pytest.param(
            _entry("demo-1.2/l", kind=tarfile.LNKTYPE, target="demo-1.2/files/helm"), "found a hardlink", id="hard link"
        ),
        pytest.param(_entry("demo-1.2/null", kind=tarfile.CHRTYPE), "found a special file", id="device"),
        pytest.param(_entry("demo-1.2/files/helm", b"other"), "duplicate: files/helm", id="duplicate"),
        pytest.param(_entry("demo-1.2/extra", b"x"), "extra: extra", id="extra"),
    ],
)
def test_hostile_entries_are_named(root: Path, entry: tuple[tarfile.TarInfo, bytes], finding: str) -> None:
    archive = packed(root)
    archive.with_name("demo-1.2.tar.sha256").unlink()
    with tarfile.open(archive, "a") as tar:
        tar.addfile(entry[0], io.BytesIO(entry[1]))
    lines = found(archive)
    assert any(finding in line for line in lines), lines


def test_data_behind_the_end_is_found(root: Path) -> None:
    archive = packed(root)
    archive.with_name("demo-1.2.tar.sha256").unlink()
    with archive.open("ab") as file:
        file.write(b"hidden")
    assert found(archive) == ["unreadable: archive: found data behind its end"]


def test_a_file_the_disk_refuses(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def refuse(self: Path, *args: object, **options: object) -> object:
        if self.name in {"helm", "demo-1.2.tar.002"}:
            raise OSError(5, "Input/output error", str(self))
        return real(self, *args, **options)  # type: ignore[call-overload]

    packed(root, split=5000)
    monkeypatch.setattr(Path, "open", refuse)
    assert found(root) == ["unreadable: files/helm (of file 'helm'): found Input/output error"]
    assert found(root.with_name("demo-1.2.tar.001")) == ["unreadable: demo-1.2.tar.002: found Input/output error"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"(?s)no bundle at.*next: name an unpacked bundle"):
        verify(tmp_path / "nowhere/x.tar")


def test_a_list_of_parts_that_is_none(root: Path) -> None:
    archive = packed(root)
    archive.with_name("demo-1.2.tar.sha256").write_text(f"{Digest.of(b'').hex}  other.tar\n")
    with pytest.raises(FormatError, match=r"lists other\.tar, expected demo-1\.2\.tar or its parts"):
        verify(archive)


@pytest.mark.parametrize("form", ["directory", "parts"])
def test_nothing_is_written(root: Path, form: str) -> None:
    path = packed(root, split=5000) if form == "parts" else root
    flip(root / API_BLOB)
    shutil.rmtree(root.with_name("cache"))
    before = {p: p.lstat() for p in sorted(root.parent.rglob("*"))}
    threads = threading.active_count()  # other tests' idle workers may be among them
    verify(path)
    after = {p: p.lstat() for p in sorted(root.parent.rglob("*"))}
    assert [(p, s.st_mtime_ns, s.st_ino) for p, s in before.items()] == [
        (p, s.st_mtime_ns, s.st_ino) for p, s in after.items()
    ]
    assert threading.active_count() == threads


API = CONTENT["api"]


assert isinstance(API, Image)


SHARED, OWN = list(API.blobs)[1:]


def base_with(*digests: Digest) -> Base:
    """The receipt of an installation that left these blobs inside."""
    image = replace(RECEIPT.images[0], blobs={digest: len(API.blobs[digest]) for digest in digests})
    return Base.of_receipt(replace(RECEIPT, images=(image,)))


@pytest.fixture(params=["oci", "docker-archive"])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture(params=["directory", "archive", "parts"])
def form(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    if request.param == "directory":
        return lambda root: root
    split = 5000 if request.param == "parts" else None
    return lambda root: pack(root, root.with_name("demo-1.2.tar"), epoch=0, split=split).parts[0]


def test_a_delta_is_whole_as_far_as_it_goes(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    report = verify(form(make_bundle(tmp_path, layout, base=base_with(SHARED, OWN))))
    assert report.findings == ()
    told = "whole as far as it goes, a delta: it needs 2 blobs (20.5 KB), which the receipt of demo 1.2 "
    assert report.notes[0].startswith(told), report.notes
    assert "verify since=FILE" in report.notes[0]


def test_with_its_base_it_is_complete(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    base = base_with(SHARED, OWN)
    report = verify(form(make_bundle(tmp_path, layout, base=base)), base=base)
    assert report.findings == ()
    assert report.notes == (
        f"a delta, complete together with {base.named}, which has the 2 blobs (20.5 KB) that it leaves out",
    )


def test_a_base_that_lost_a_blob(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    bundle = form(make_bundle(tmp_path, layout, base=base_with(SHARED, OWN)))
    later = base_with(OWN)
    assert lines(verify(bundle, base=later)) == [
        f"missing: {SHARED} (of image 'api', image 'docker'): expected 10.3 KB here or in {later.named}"
    ]


def lines(report: VerifyReport) -> list[str]:
    return [str(finding) for finding in report.findings]


def test_the_receipt_of_another_bundle(tmp_path: Path) -> None:
    root = make_bundle(tmp_path, base=base_with(SHARED))
    other = Base.of_receipt(replace(RECEIPT, name="shop"))
    assert lines(verify(root, base=other)) == [
        f"missing: base: expected a receipt or manifest of 'demo', found {other.named}"
    ]


def test_a_full_bundle_needs_no_base(tmp_path: Path) -> None:
    assert verify(make_bundle(tmp_path), base=base_with(SHARED)).notes == ("a full bundle, which needs no base",)


def restate(root: Path, change: Callable[[BundleManifest], BundleManifest]) -> None:
    """Change manifest.json, and SHA256SUMS with it."""
    manifest = BundleManifest.decode((root / MANIFEST).read_bytes())
    (root / MANIFEST).write_bytes(change(manifest).encode())
    write_sums(root / SUMS, hash_files(root, list_files(root)))


def test_what_is_left_out_must_be_stated(tmp_path: Path, layout: Layout) -> None:
    """A layer that is not here, and that the manifest does not say is left out, is missing, whatever the base has."""
    base = base_with(SHARED, OWN)
    root = make_bundle(tmp_path, layout, base=base)
    restate(root, lambda m: replace(m, delta=Delta(base=base.named, blobs={OWN: (f"{PREFIX}/api",)})))
    found = lines(verify(root, base=base))
    assert found
    assert all(f"blobs/sha256/{SHARED.hex}" in line for line in found), found
    assert "(of image 'api'" in found[0]


def test_the_manifest_states_the_blobs_that_images_have(tmp_path: Path, layout: Layout) -> None:
    root = make_bundle(tmp_path, layout)
    restate(root, lambda m: replace(m, images=(replace(m.images[0], blobs={SHARED: 1}), *m.images[1:])))
    assert lines(verify(root)) == [
        "damaged: manifest.json (of the bundle): found other blobs of image 'api' than its own manifest names"
    ]
