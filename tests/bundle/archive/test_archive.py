import hashlib
import os
import subprocess
import tarfile
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bundle.archive.archive import pack, present_archive
from bundle.archive.verify import verify
from bundle.errors import BundleError, IntegrityError, SourceError
from bundle.metadata.checksums import SUMS
from bundle.storage.tar_reader import members
from bundle.storage.volume import VolumeStream
from tests.fixtures.made.made_bundle import make_bundle

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


def test_the_archive_is_what_tar_reads(root: Path, archive: Path) -> None:
    packed = pack(root, archive, epoch=EPOCH)
    assert (packed.parts, packed.size) == ((archive,), archive.stat().st_size)
    with tarfile.open(archive) as tar:
        infos = tar.getmembers()
        files = [info for info in infos if info.isfile()]
        assert [info.name for info in files[:2]] == ["demo-1.2/SHA256SUMS", "demo-1.2/manifest.json"]
        assert [info.name for info in files[2:]] == sorted(info.name for info in files[2:])
        assert len(files) == sum(path.is_file() for path in root.rglob("*"))
        for info in files:
            content = tar.extractfile(info)
            assert content
            assert content.read() == (root.parent / info.name).read_bytes()
    assert {(i.uid, i.gid, i.uname, i.gname, i.mtime) for i in infos} == {(0, 0, "root", "root", EPOCH)}
    assert {i.name: i.mode for i in files}["demo-1.2/files/helm"] == 0o755
    assert {i.mode for i in files if not i.name.endswith("helm")} == {0o644}


def test_the_same_bundle_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for umask, where in ((0o022, "one"), (0o077, "two")):
        old = os.umask(umask)
        try:
            root = make_bundle(tmp_path / where)
        finally:
            os.umask(old)
        pack(root, root.with_name("x.tar"), epoch=EPOCH)
        digests.add(hashlib.sha256(root.with_name("x.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("split", [1000, 4096, 10_240, 10_000_000])
def test_parts_are_the_archive_in_pieces(root: Path, archive: Path, split: int) -> None:
    pack(root, archive, epoch=EPOCH)
    whole = archive.read_bytes()
    packed = pack(root, archive, epoch=EPOCH, split=split)
    assert [part.stat().st_size for part in packed.parts[:-1]] == [split] * (len(packed.parts) - 1)
    assert 0 < packed.parts[-1].stat().st_size <= split
    assert b"".join(part.read_bytes() for part in packed.parts) == whole
    assert [part.name for part in packed.parts] == [f"demo-1.2.tar.{n:03d}" for n in range(1, len(packed.parts) + 1)]
    assert names(root.parent) == [*(part.name for part in packed.parts), "demo-1.2.tar.sha256"]


def test_sha256sum_and_cat_agree(root: Path, archive: Path) -> None:
    packed = pack(root, archive, epoch=EPOCH, split=5000)
    check = ["sha256sum", "--check", "--strict", packed.sums.name]
    done = subprocess.run(check, cwd=root.parent, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK\n") == len(packed.parts)
    listed = subprocess.run(
        "cat demo-1.2.tar.0* | tar -tf -", shell=True, cwd=root.parent, capture_output=True, text=True, check=True
    )
    assert "demo-1.2/images/index.json\n" in listed.stdout
    unpacked = root.parent / "unpacked"
    unpacked.mkdir()
    subprocess.run(f"cat demo-1.2.tar.0* | tar -C {unpacked} -xf -", shell=True, cwd=root.parent, check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=unpacked / "demo-1.2", check=True)


def test_parts_of_a_longer_archive_go_after_the_new_one_is_there(root: Path, archive: Path) -> None:
    assert len(pack(root, archive, epoch=EPOCH, split=1000).parts) > len(
        pack(root, archive, epoch=EPOCH, split=9000).parts
    )
    assert verify(archive).findings == ()
    pack(root, archive, epoch=EPOCH)
    assert names(root.parent) == ["demo-1.2.tar", "demo-1.2.tar.sha256"]
    pack(root, archive, epoch=EPOCH, split=9000)
    assert "demo-1.2.tar" not in names(root.parent)


def test_a_damaged_file_is_named_and_the_last_archive_stays(root: Path, archive: Path) -> None:
    pack(root, archive, epoch=EPOCH, split=5000)
    before = {path.name: path.read_bytes() for path in root.parent.iterdir() if path.is_file()}
    (root / "charts/demo-0.3.0.tgz").write_bytes(b"a packaged chorT")
    with pytest.raises(IntegrityError, match=r"(?s)archive 'demo-1\.2\.tar': file '.*demo-0\.3\.0\.tgz' changed.*next"):
        pack(root, archive, epoch=EPOCH, split=4000)
    assert {path.name: path.read_bytes() for path in root.parent.iterdir() if path.is_file()} == before


def test_files_and_list_must_agree(root: Path, archive: Path) -> None:
    (root / "stray").write_bytes(b"")
    (root / "files/helm").unlink()
    with pytest.raises(BundleError) as raised:
        pack(root, archive, epoch=EPOCH)
    assert raised.value.problems == ("missing: files/helm", "not in SHA256SUMS: stray")
    assert names(root.parent) == []


def test_a_signature_is_packed_beside_the_list(root: Path, archive: Path) -> None:
    (root / "SHA256SUMS.sig").write_bytes(b"signed")
    pack(root, archive, epoch=EPOCH)
    with tarfile.open(archive) as tar:
        assert [name for name in tar.getnames() if "SHA" in name] == ["demo-1.2/SHA256SUMS", "demo-1.2/SHA256SUMS.sig"]
    assert verify(archive).findings == ()


def _reading(path: Path, damaged: list[str]) -> AbstractContextManager[VolumeStream]:
    """The archive that `path` names as one stream; parts that are not as their checksums say are noted."""
    return present_archive(path).volume().stream(lambda part, _: damaged.append(part.path.name))


def test_reading_checks_every_part(root: Path, archive: Path) -> None:
    threads = threading.active_count()  # other tests' idle workers may be among them
    packed = pack(root, archive, epoch=EPOCH, split=5000)
    damaged: list[str] = []
    with _reading(packed.parts[0], damaged) as stream:
        assert sum(1 for member in members(stream) if member.kind == "file") == 1 + len(
            (root / SUMS).read_text().splitlines()
        )
        stream.drain()
        assert stream.position == packed.size
    data = packed.parts[1].read_bytes()
    packed.parts[1].write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert damaged == []
    with _reading(archive, damaged) as stream:
        stream.drain()
    assert damaged == [packed.parts[1].name]
    packed.parts[1].unlink()
    with pytest.raises(SourceError, match=r"is missing demo-1\.2\.tar\.002"):
        present_archive(archive)
    assert threading.active_count() == threads
