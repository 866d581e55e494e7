"""What lies beside an archive: its parts and their list, written whole and found again."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bundle.archive.archive import pack
from bundle.archive.parts import MAX_PARTS, find_archive, named_bundle, writing_parts
from bundle.archive.verify import verify
from bundle.errors import FormatError, SourceError, StorageError
from bundle.storage.volume import FilePiece
from tests.fixtures.images.hand_made import save_image
from tests.fixtures.made.made_bundle import make_bundle
from tests.fixtures.places import ROOT

EPOCH = 1_700_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


@pytest.fixture
def archive(root: Path) -> Path:
    return root.with_name("demo-1.2.tar")


def names(directory: Path) -> list[str]:
    """What lies beside the bundle: archives, parts, lists, and leftovers if there are any."""
    return sorted(path.name for path in directory.iterdir() if path.is_file())


def test_too_many_parts(root: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PARTS == 999
    monkeypatch.setattr("bundle.archive.parts.MAX_PARTS", 3)
    with pytest.raises(StorageError, match=r"more than 3 parts of 100 bytes\n  next: set a larger"):
        pack(root, archive, epoch=EPOCH, split=100)
    assert names(root.parent) == []
    with writing_parts(archive, limit=2) as parts:
        parts.write(bytes(6))
    assert len(find_archive(archive).names) == 3


def test_leftovers_of_a_killed_run_are_removed(root: Path, archive: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bundle.archive.parts import writing_parts\n"
        "with writing_parts(Path(sys.argv[1]), limit=1000) as parts:\n"
        "    parts.write(bytes(2500)); print('written', flush=True); time.sleep(600)\n"
    )
    pack(root, archive, epoch=EPOCH)
    good = archive.read_bytes()
    with subprocess.Popen([sys.executable, "-c", script, str(archive)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert len(names(root.parent)) == 5  # three parts begun
    assert archive.read_bytes() == good
    pack(root, archive, epoch=EPOCH, split=5000)
    assert not [name for name in names(root.parent) if name.startswith(".")]
    assert verify(archive).findings == ()


def test_two_at_once_wait_for_each_other(root: Path, archive: Path) -> None:
    order: list[str] = []

    def second() -> None:
        pack(root, archive, epoch=EPOCH, split=4000)
        order.append("second")

    thread = threading.Thread(target=second)
    with writing_parts(archive, limit=None) as parts:
        thread.start()
        time.sleep(0.1)
        parts.write(b"first")
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert verify(archive).findings == ()


@pytest.mark.parametrize(
    "listed", [["x.tar.002"], ["x.tar.001", "x.tar.003"], ["x.tar", "x.tar.001"], [], ["../x.tar"]]
)
def test_lists_of_parts_that_are_none(tmp_path: Path, listed: list[str]) -> None:
    lines = "".join(f"{hashlib.sha256().hexdigest()}  {name}\n" for name in listed)
    (tmp_path / "x.tar.sha256").write_text(lines)
    with pytest.raises(FormatError):
        find_archive(tmp_path / "x.tar")


@pytest.mark.parametrize(
    ("files", "meant"),
    [
        pytest.param(["x.tar"], "x.tar", id="archive"),
        pytest.param(["x.tar.001", "x.tar.002", "x.tar.sha256", "notes.txt"], "x.tar", id="parts"),
        pytest.param(["x.tar.001", "x.tar.002"], "x.tar", id="parts without their list"),
        pytest.param(["x.tar", "x.tar.sha256", "backup.tar"], "x.tar", id="the one with a list"),
        pytest.param(["SHA256SUMS", "x.tar"], "", id="a bundle"),
        pytest.param(["images/x.tar", "y.tar"], "", id="made by hand"),
        pytest.param(["x.tar.d/y.tar", "notes.txt"], "", id="none"),
        pytest.param(["x-1/SHA256SUMS", "notes.txt", "y/notes.txt"], "x-1", id="one bundle"),
        pytest.param(["x-1.tar", "x-1.tar.sha256", "x-1/SHA256SUMS"], "x-1.tar", id="archive and directory of one"),
    ],
)
def test_what_a_directory_means(tmp_path: Path, files: list[str], meant: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert named_bundle(tmp_path) == tmp_path / meant
    assert named_bundle(tmp_path / files[0]) == tmp_path / files[0]


def test_another_file_is_not_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "airgap.yaml").write_text("version: 1\n")
    with pytest.raises(SourceError, match=r"airgap\.yaml' is not a bundle"):
        named_bundle(tmp_path / "airgap.yaml")


def test_several_archives_in_a_directory(tmp_path: Path) -> None:
    for name in ("x.tar", "y.tar.001", "z-1/SHA256SUMS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=r"holds several bundles: x\.tar, y\.tar, z-1"):
        named_bundle(tmp_path)


@pytest.mark.parametrize(("limit", "part"), [(1_500_000, 1_499_136), (2 * 2**20, 2 * 2**20), (1000, 1000)])
def test_large_parts_end_on_block_borders(archive: Path, limit: int, part: int) -> None:
    with writing_parts(archive, limit=limit) as parts:
        parts.write(bytes(limit))
        parts.write(bytes(5000))
    sizes = [find_archive(archive).path(name).stat().st_size for name in find_archive(archive).names]
    assert sizes[0] == part
    assert sum(sizes) == limit + 5000
    assert max(sizes) <= limit


def test_pieces_of_files_go_over_the_ends_of_parts(archive: Path) -> None:
    content = os.urandom(10_000)
    source = archive.with_name("source")
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(content)
    with writing_parts(archive, limit=4096) as parts, source.open("rb", buffering=0) as file:
        parts.write(b"head")
        assert parts.copy(FilePiece(file=file, offset=0, size=10_000)) == 10_000
        assert parts.copy(FilePiece(file=file, offset=9_990, size=100)) == 10, "it ends there"
    found = find_archive(archive)
    assert b"".join(found.path(name).read_bytes() for name in found.names) == b"head" + content + content[-10:]
    for name, digest in found.digests.items():
        assert digest.matches(found.path(name).read_bytes())


def test_image_archives_are_no_bundles(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_image(tmp_path / f"{name}.tar", f"r.example/{name}:1")
    assert named_bundle(tmp_path) == tmp_path
    (tmp_path / "cut.tar").write_bytes(b"")
    assert named_bundle(tmp_path) == tmp_path
    (tmp_path / "app-1.0.tar.sha256").write_bytes(b"")  # as a bundle of ours has
    assert named_bundle(tmp_path) == tmp_path / "app-1.0.tar"
