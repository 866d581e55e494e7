"""Blobs whose size nobody told, and those whose told size is wrong."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.errors import IntegrityError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore

BODY = os.urandom(5000)
DIGEST = Digest.of(BODY)
SUBJECT = "file 'x'"


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


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
