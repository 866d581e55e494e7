import io
import os
import shutil
import stat
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.use import Compared, Reading
from bundle.archive.verify import verify
from bundle.errors import BundleError, FormatError, SourceError
from bundle.metadata.checksums import SUMS, list_files
from bundle.metadata.manifest import Layout
from bundle.metadata.names import MANIFEST
from bundle.oci.digest import Digest
from tests.fixtures.made.checked import API_BLOB, COMMON, OWN, SHARED_BLOB, base_with, flip, found, packed
from tests.fixtures.made.made_bundle import CHART, make_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


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
    with pytest.raises(
        BundleError,
        match=r"(?s)demo-1\.2.*failed verification: 5 problems in \d+ files.*missing: charts.*next: transfer",
    ):
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
    ("make", "finding"),
    [
        pytest.param(lambda r: os.mknod(r / "x", stat.S_IFSOCK | 0o600), "unsafe: x: expected a file", id="socket"),
        pytest.param(lambda r: (r / "x").symlink_to(r), "unsafe: x: expected a file", id="link to itself"),
        pytest.param(lambda r: _outside(r / "files/helm"), "unsafe: files/helm", id="link to the same bytes outside"),
        pytest.param(lambda r: _outside(r / "charts"), "unsafe: charts", id="link in the place of a directory"),
        pytest.param(lambda r: (r / ".hidden").touch(), "extra: .hidden", id="hidden"),
        pytest.param(lambda r: (r / ".x.1.tmp").touch(), "extra: .x.1.tmp", id="as we name what is unfinished"),
        pytest.param(lambda r: (r / "MANIFEST.JSON").touch(), "extra: MANIFEST.JSON", id="case twin"),
        pytest.param(lambda r: (r / "files/u\u0308").touch(), "extra: files/u\u0308", id="decomposed letter"),
        pytest.param(lambda r: (r / "CON").touch(), "extra: CON", id="name of a device on Windows"),
        pytest.param(lambda r: (r / "a:b").touch(), "extra: a:b", id="stream on Windows"),
        pytest.param(lambda r: Path(os.fsdecode(os.fsencode(r) + b"/\xff")).touch(), "extra: ", id="not UTF-8"),
        pytest.param(lambda r: (r / "a\nverify   fine").touch(), "extra: a\\nverify   fine", id="two lines"),
        pytest.param(
            lambda r: (r / SUMS).unlink() or os.mkfifo(r / SUMS), "unsafe: SHA256SUMS", id="list that is a pipe"
        ),
    ],
)
def test_what_hides_in_a_directory_is_found(root: Path, make: Callable[[Path], object], finding: str) -> None:
    make(root)
    lines = found(root)
    assert any(line.startswith(finding) for line in lines), lines
    assert all(line.isprintable() for line in lines)


def _outside(path: Path) -> None:
    """Move it out of the bundle, and lead there from its place."""
    moved = tempfile.mkdtemp(dir=path.parents[2])
    path.symlink_to(path.rename(Path(moved) / path.name))


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
    report = verify(form(make_bundle(tmp_path, layout, base=base_with(COMMON, OWN))))
    assert report.findings == ()
    told = "whole as far as it goes, a delta: it needs 2 blobs (20.5 KB), which the receipt of demo 1.2 "
    assert report.notes[0].startswith(told), report.notes
    assert "verify since=FILE" in report.notes[0]


def test_with_its_base_it_is_complete(tmp_path: Path, layout: Layout, form: Callable[[Path], Path]) -> None:
    base = base_with(COMMON, OWN)
    report = verify(form(make_bundle(tmp_path, layout, base=base)), base=base)
    assert report.findings == ()
    assert report.notes == (
        f"a delta, complete together with {base.named}, which has the 2 blobs (20.5 KB) that it leaves out",
    )


# Who uses the bytes, in the same reading.


class Using:
    """Keeps the bytes of each file."""

    def __init__(self, root: Path) -> None:
        self.given: dict[str, bytes] = {}
        self.good: dict[str, bool] = {}
        self._digests = {name: Digest.of((root / name).read_bytes()) for name in list_files(root)}

    def begin(self, name: str) -> Compared:
        self.given[name] = b""
        using = self

        class One:
            def take(self, data: bytes) -> None:
                using.given[name] += data

            def end(self, *, good: bool) -> None:
                assert name not in using.good, "told twice"
                using.good[name] = good

        return Compared(self._digests.get(name), One())


@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
def test_the_bytes_that_are_compared_are_those_that_are_used(root: Path, form: str) -> None:
    path = root if form == "directory" else packed(root, split=None if form == "archive" else 5000)
    using = Using(root)
    verify(path, reading=Reading(begin=using.begin)).raise_if_bad()
    for name in list_files(root):
        assert using.given[name] == (root / name).read_bytes()
        assert using.good[name]


@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
def test_who_uses_damaged_bytes_is_told_and_lacks_the_last(tmp_path: Path, form: str) -> None:
    root = make_bundle(tmp_path)
    using, name = Using(root), SHARED_BLOB
    size = (root / name).stat().st_size
    if form == "directory":
        flip(root / name)
    path = root if form == "directory" else packed(root, split=None if form == "archive" else 5000)
    if form != "directory":
        good = (root / name).read_bytes()
        pieces = sorted(each for each in path.parent.glob("demo-1.2.tar*") if each.suffix != ".sha256")
        at = b"".join(piece.read_bytes() for piece in pieces).index(good) + len(good) - 1
        while at >= pieces[0].stat().st_size:
            at -= pieces.pop(0).stat().st_size
        flip(pieces[0], at)
    report = verify(path, reading=Reading(begin=using.begin))
    assert any(f"damaged: {name}" in str(each) for each in report.findings)
    assert using.good[name] is False
    assert len(using.given[name]) < size


@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
def test_what_is_passed_over_is_not_read(root: Path, form: str) -> None:
    path = root if form == "directory" else packed(root, split=None if form == "archive" else 5000)
    using = Using(root)
    reading = Reading(begin=using.begin, passes_over=lambda name, _: name.startswith("images/blobs/"))
    report = verify(path, reading=reading)
    report.raise_if_bad()
    assert not [name for name in using.given if name.startswith("images/blobs/")]
    assert "manifest.json" in using.given
    assert report.files == len(using.given)


@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        pytest.param(lambda r: flip(r / "files/helm"), "damaged: files/helm", id="small"),
        pytest.param(lambda r: (r / "images/left over").write_bytes(b""), "extra: images/left over", id="extra"),
        pytest.param(lambda r: (r / API_BLOB).write_bytes(b"x"), f"damaged: {API_BLOB}", id="size"),
        pytest.param(lambda r: (r / API_BLOB).unlink(), f"missing: {API_BLOB}", id="missing"),
    ],
)
def test_without_reading_images_all_else_is_found(
    root: Path, damage: Callable[[Path], object], finding: str, form: str
) -> None:
    damage(root)
    path = root
    if form != "directory":
        with tarfile.open(root.with_name("demo-1.2.tar"), "w") as tar:
            tar.add(root, root.name)
        path = root.with_name("demo-1.2.tar")
        if form == "parts":
            data = path.read_bytes()
            path.unlink()
            for number in range(0, len(data), 5000):
                path.with_name(f"demo-1.2.tar.{number // 5000 + 1:03d}").write_bytes(data[number : number + 5000])
            path = path.with_name("demo-1.2.tar.001")
    reading = Reading(passes_over=lambda name, _: name.startswith("images/blobs/"))
    assert any(finding in str(each) for each in verify(path, reading=reading).findings)


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_a_reading_can_be_stopped(root: Path, form: str) -> None:
    path = root if form == "directory" else packed(root)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(path, reading=Reading(check=stop))
