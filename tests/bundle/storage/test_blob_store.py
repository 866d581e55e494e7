"""The blob cache: verified once, reused cheaply, healed, resumed, shared."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.errors import IntegrityError, NetworkError, SourceError, StorageError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from tests.fixtures.places import ROOT

CONTENT = bytes(range(256)) * 40_000
BLOB = Descriptor(media_type="x", digest=Digest.of(CONTENT), size=len(CONTENT))


class Source:
    """Gives CONTENT, or what a test makes of it, and remembers from which offsets it was read."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents) or [CONTENT]
        self.offsets: list[int] = []

    def __call__(self, offset: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        for start in range(offset, len(content), 1_000_000):
            yield content[start : start + 1_000_000]


def breaking(after: int) -> Iterator[bytes]:
    yield CONTENT[:after]
    raise NetworkError("cut")


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


def test_fetch_then_reuse(store: BlobStore) -> None:
    source = Source()
    assert store.fetch(BLOB, source, subject="x")
    assert not store.fetch(BLOB, source, subject="x")
    assert source.offsets == [0]
    assert store.path(BLOB.digest).read_bytes() == CONTENT
    assert store.holds(BLOB)
    assert b"".join(store.read(BLOB, 100)) == CONTENT[100:]
    assert list((store.root / "partial").iterdir()) == []


def test_an_empty_blob(store: BlobStore) -> None:
    empty = Descriptor(media_type="x", digest=Digest.of(b""), size=0)
    store.fetch(empty, Source(b""), subject="x")
    assert store.holds(empty)


def test_a_cut_fetch_goes_on_where_it_was(store: BlobStore) -> None:
    with pytest.raises(NetworkError):
        store.fetch(BLOB, lambda _: breaking(5_000_001), subject="x")
    assert not store.path(BLOB.digest).exists()
    source = Source()
    store.fetch(BLOB, source, subject="x")
    assert source.offsets == [5_000_001]
    assert store.path(BLOB.digest).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "bad",
    [CONTENT[:-1], CONTENT + b"x", b"y" + CONTENT[1:], b""],
    ids=["truncated", "too long", "flipped", "empty"],
)
def test_wrong_bytes_are_fetched_once_more_and_never_kept(store: BlobStore, bad: bytes) -> None:
    source = Source(bad, CONTENT)
    store.fetch(BLOB, source, subject="x")
    assert source.offsets == [0, 0]
    assert store.path(BLOB.digest).read_bytes() == CONTENT
    other = BlobStore(store.root.with_name("other"))
    with pytest.raises(IntegrityError, match=r"image 'x'.*does not have its digest"):
        other.fetch(BLOB, Source(bad), subject="image 'x'")
    assert not other.path(BLOB.digest).exists()


@pytest.mark.parametrize("bad", [b"z" * 1000, CONTENT + b"tail", b"z" * len(CONTENT)], ids=["start", "longer", "full"])
def test_a_bad_half_fetched_file_is_given_up(store: BlobStore, bad: bytes) -> None:
    partial = store.root / "partial" / f"sha256-{BLOB.digest.hex}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bad)
    store.fetch(BLOB, Source(), subject="x")
    assert store.path(BLOB.digest).read_bytes() == CONTENT


def change_in_place(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"!")


def truncate(path: Path) -> None:
    os.truncate(path, 100)


@pytest.mark.parametrize("damage", [change_in_place, truncate, Path.unlink])
def test_a_damaged_blob_heals(store: BlobStore, damage: object) -> None:
    store.fetch(BLOB, Source(), subject="x")
    assert callable(damage)
    damage(store.path(BLOB.digest))
    assert not store.holds(BLOB)
    source = Source()
    assert store.fetch(BLOB, source, subject="x")
    assert source.offsets == [0]
    assert store.path(BLOB.digest).read_bytes() == CONTENT


def test_a_blob_without_mark_is_hashed_and_marked_again(store: BlobStore) -> None:
    store.fetch(BLOB, Source(), subject="x")
    os.utime(store.path(BLOB.digest))
    assert not store.holds(BLOB)
    assert store.has(BLOB)
    assert store.holds(BLOB)


def is_as_it_came(store: BlobStore) -> bool:
    with store.path(BLOB.digest).open("rb") as file:
        return store.is_as_it_came(BLOB.digest, file.fileno())


def test_what_came_in_is_known_to_the_store_that_hashed_it(store: BlobStore) -> None:
    store.fetch(BLOB, Source(), subject="x")
    assert is_as_it_came(store)
    assert is_as_it_came(store), "reading changes nothing"
    assert not is_as_it_came(BlobStore(store.root)), "another run's"


def rewrite(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"other")
    path.chmod(0o444)


def replace(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o444)


@pytest.mark.parametrize("change", [rewrite, replace, lambda path: os.link(path, path.with_name("linked"))])
def test_what_was_changed_since_is_not_known(store: BlobStore, tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Whoever sets its times back as well changes the time of change."""
    store.fetch(BLOB, Source(), subject="x")
    path = store.path(BLOB.digest)
    before, clock = path.stat(), tmp_path / "clock"
    clock.touch()
    while clock.stat().st_ctime_ns <= before.st_ctime_ns:
        clock.touch()  # what dates files ticks some hundred times a second only
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_as_it_came(store)


def test_a_fetched_blob_is_trusted_until_the_next_boot(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.fetch(BLOB, Source(), subject="x")
    monkeypatch.setattr("bundle.storage.marks.this_boot", lambda: 12345)
    assert not store.holds(BLOB)
    source = Source()
    assert not store.fetch(BLOB, source, subject="x"), "it is hashed, and is good"
    assert source.offsets == []
    assert store.holds(BLOB)


def test_a_settled_blob_is_trusted_for_good(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.fetch(BLOB, Source(), subject="x")
    store.settle(BLOB)
    monkeypatch.setattr("bundle.storage.marks.this_boot", lambda: 12345)
    assert store.holds(BLOB)


def test_without_boot_ids_a_blob_is_synced_at_once(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("bundle.storage.marks.this_boot", lambda: 0)
    monkeypatch.setattr("os.fsync", synced.append)
    store.fetch(BLOB, Source(), subject="x")
    assert len(synced) == 1
    assert store.holds(BLOB)


def test_put_and_get(store: BlobStore) -> None:
    digest = store.put(b"{}")
    store.put(b"{}")
    assert store.get(digest) == b"{}"
    path = store.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"[]")
    assert store.get(digest) is None
    store.put(b"{}")
    assert store.get(digest) == b"{}"
    assert store.get(Digest.of(b"other")) is None


def test_threads_fetch_a_shared_blob_once(store: BlobStore) -> None:
    source = Source()
    threads = [threading.Thread(target=store.fetch, args=(BLOB, source), kwargs={"subject": "x"}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.offsets == [0]


PROGRAM = """
import sys
from pathlib import Path
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
content = bytes(range(256)) * 40_000
blob = Descriptor(media_type="x", digest=Digest.of(content), size=len(content))
def read(offset):
    print("fetching", flush=True)
    sys.stdin.readline()
    yield content[offset:]
print(BlobStore(Path(sys.argv[1])).fetch(blob, read, subject="x"), flush=True)
"""


def process(store: BlobStore) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store.root)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_fetch_a_blob_once(store: BlobStore) -> None:
    with process(store) as first:
        assert first.stdout
        assert first.stdout.readline() == "fetching\n"
        with process(store) as second:
            first.communicate("go\n")
            out, _ = second.communicate("go\n")
            assert out == "False\n"
    assert store.holds(BLOB)


def test_a_killed_process_leaves_the_blob_to_the_next(store: BlobStore) -> None:
    with process(store) as first:
        assert first.stdout
        assert first.stdout.readline() == "fetching\n"
        first.kill()
    assert store.fetch(BLOB, Source(), subject="x")


def test_a_directory_that_can_not_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(StorageError, match="can't store a blob of x"):
        BlobStore(tmp_path / "cache").fetch(BLOB, Source(), subject="x")


def test_room_that_was_set_aside_for_a_blob_is_given_back(store: BlobStore) -> None:
    size = 64 * 1024 * 1024
    blob = Descriptor(media_type="", digest=Digest.of(b"never whole"), size=size)
    held = 0

    def cut(offset: int) -> Iterator[bytes]:
        nonlocal held
        (part,) = (store.root / "partial").iterdir()
        held = part.stat().st_blocks * 512
        yield b"begun"
        raise SourceError("cut")

    with pytest.raises(SourceError):
        store.fetch(blob, cut, subject="app")
    (part,) = (store.root / "partial").iterdir()
    assert held >= size
    assert part.read_bytes() == b"begun"
    assert part.stat().st_blocks * 512 < size


def test_a_blob_that_has_no_room_is_refused_before_it_is_fetched(store: BlobStore) -> None:
    asked: list[int] = []

    def read(offset: int) -> Iterator[bytes]:
        asked.append(offset)
        yield b""

    blob = Descriptor(media_type="", digest=Digest.of(b"larger than any disk"), size=1 << 60)
    with pytest.raises(StorageError, match="store a blob of app"):
        store.fetch(blob, read, subject="app")
    assert not asked


BODY = os.urandom(5000)


DIGEST = Digest.of(BODY)


SUBJECT = "file 'x'"


def source(offset: int) -> Iterator[bytes]:
    yield BODY[offset:]


def test_what_has_the_digest_is_the_blob(store: BlobStore) -> None:
    assert store.find(DIGEST, "text/plain") is None
    assert store.fetch_unsized(DIGEST, source, subject=SUBJECT)
    assert store.find(DIGEST, "text/plain") == Descriptor(media_type="text/plain", digest=DIGEST, size=len(BODY))
    assert not store.fetch_unsized(DIGEST, source, subject=SUBJECT)


def test_a_damaged_one_is_not_found_and_fetched_again(store: BlobStore) -> None:
    store.fetch_unsized(DIGEST, source, subject=SUBJECT)
    path = store.path(DIGEST)
    path.chmod(0o644)
    path.write_bytes(BODY[:-1] + b"?")
    assert store.find(DIGEST, "") is None
    assert store.fetch_unsized(DIGEST, source, subject=SUBJECT)
    assert path.read_bytes() == BODY


def test_other_bytes_are_not_kept(store: BlobStore) -> None:
    with pytest.raises(IntegrityError, match="file 'x'"):
        store.fetch_unsized(Digest.of(b"other"), source, subject=SUBJECT)
    assert store.find(Digest.of(b"other"), "") is None


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1], ids=["too small", "too large"])
def test_the_told_size_must_be_right_too(store: BlobStore, size: int) -> None:
    descriptor = Descriptor(media_type="", digest=DIGEST, size=size)
    with pytest.raises(IntegrityError, match=f"{size} bytes"):
        store.fetch(descriptor, source, subject=SUBJECT)
    assert not store.path(DIGEST).exists()
