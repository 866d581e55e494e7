"""Files over HTTP and from paths: whole, verified, continued, and refused in words that help."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.errors import AirgapError, IntegrityError, RegistryError, SourceError
from bundle.meter import SilentMeter
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from clients.download import checksum, describe_local, download, take_local
from clients.registry.repository import Registries
from tests.fixtures.servers.website import Page, Website, website

BODY = os.urandom(300_000)
SHA = Digest.of(BODY)
SUBJECT = "file 'helm'"


class Recorder(SilentMeter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.moved = 0
        self.reused = 0

    def advance(self, subject: str, size: int) -> None:
        self.moved += size

    def reuse(self, subject: str, size: int) -> None:
        self.reused += size


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as running:
        running.pages["/helm"] = Page(body=BODY)
        yield running


@pytest.fixture
def meter() -> Recorder:
    return Recorder()


@pytest.fixture
def registries(site: Website, meter: Recorder, tmp_path: Path) -> Iterator[Registries]:
    made = site.registries(meter, docker_config=str(tmp_path))
    with made.transport:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


Fetch = Callable[..., object]


@pytest.fixture
def fetch(site: Website, registries: Registries, store: BlobStore) -> Fetch:
    def run(path: str = "/helm", sha256: Digest = SHA, size: int | None = None) -> object:
        return download(site.url + path, sha256=sha256, subject=SUBJECT, store=store, registries=registries, size=size)

    return run


@pytest.mark.parametrize(
    ("page", "size", "asked"),
    [
        (Page(body=BODY), None, ["HEAD /helm", "GET /helm"]),
        (Page(body=BODY), len(BODY), ["GET /helm"]),
        (Page(body=BODY, sized=False), None, ["HEAD /helm", "GET /helm"]),
        (Page(body=BODY, head_status=403), None, ["HEAD /helm", "GET /helm"]),
        (Page(body=BODY, head_status=405), None, ["HEAD /helm", "GET /helm"]),
    ],
    ids=["size from HEAD", "size known", "no length", "HEAD forbidden", "HEAD not allowed"],
)
def test_fetches_once(
    fetch: Fetch, site: Website, store: BlobStore, page: Page, size: int | None, asked: list[str]
) -> None:
    site.pages["/helm"] = page
    fetch(size=size)
    assert store.path(SHA).read_bytes() == BODY
    assert site.asked == asked
    fetch()
    assert site.asked == asked


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "no length"])
def test_a_half_fetched_file_is_continued(
    fetch: Fetch, site: Website, store: BlobStore, meter: Recorder, sized: bool
) -> None:
    partial = store.root / "partial" / f"sha256-{SHA.hex}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(BODY[:100_000])
    site.pages["/helm"].sized = sized
    fetch()
    assert site.asked[-1] == "GET /helm bytes=100000-"
    assert (meter.reused, meter.moved) == (100_000, len(BODY) - 100_000)
    assert store.path(SHA).read_bytes() == BODY


@pytest.mark.parametrize(
    "half", [BODY + b"more", b"x" * len(BODY), b"x" * 100_000], ids=["longer", "other, as long", "other, shorter"]
)
@pytest.mark.parametrize("sized", [True, False], ids=["sized", "no length"])
def test_a_wrong_half_fetched_file_is_thrown_away(
    fetch: Fetch, site: Website, store: BlobStore, half: bytes, sized: bool
) -> None:
    partial = store.root / "partial" / f"sha256-{SHA.hex}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(half)
    site.pages["/helm"].sized = sized
    fetch()
    assert store.path(SHA).read_bytes() == BODY


def test_a_whole_half_fetched_file_needs_no_more_bytes(fetch: Fetch, site: Website, store: BlobStore) -> None:
    partial = store.root / "partial" / f"sha256-{SHA.hex}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(BODY)
    site.pages["/helm"].sized = False
    fetch()
    assert site.asked == ["HEAD /helm"]


def test_a_cut_connection_is_continued(fetch: Fetch, site: Website, store: BlobStore) -> None:
    site.pages["/helm"].cut = 123_456
    fetch()
    assert site.asked[-1] == "GET /helm bytes=123456-"
    assert store.path(SHA).read_bytes() == BODY


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "no length"])
@pytest.mark.parametrize("body", [b"other" * 10_000, b""], ids=["other", "empty"])
def test_other_bytes_are_refused(fetch: Fetch, site: Website, store: BlobStore, body: bytes, sized: bool) -> None:
    site.pages["/helm"] = Page(body=body, sized=sized)
    with pytest.raises(IntegrityError) as caught:
        fetch("/helm")
    assert caught.value.what == f"{SUBJECT}: {site.url}/helm is not the file with sha256 {SHA.hex}"
    assert "correct sha256 in the spec" in caught.value.hint
    assert not store.path(SHA).exists()


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "log in first", "docker login 127.0.0.1"),
        (403, "not for you", "docker login 127.0.0.1"),
        (404, "no such release", "check the address, most of all the version in it"),
    ],
)
def test_refusals_have_the_servers_words_and_a_next_step(
    fetch: Fetch, site: Website, status: int, words: str, hint: str
) -> None:
    site.pages["/helm"] = Page(status=status, body=words.encode(), media_type="text/plain")
    with pytest.raises(RegistryError) as caught:
        fetch("/helm")
    assert caught.value.status == status
    assert SUBJECT in caught.value.what
    assert words in caught.value.what
    assert hint in caught.value.hint


def test_the_users_login_goes_where_it_is_asked_for(fetch: Fetch, site: Website, tmp_path: Path) -> None:
    site.pages["/helm"].login = "me:pass"
    (tmp_path / "config.json").write_text(json.dumps({"auths": {site.host: {"auth": "bWU6cGFzcw=="}}}))
    fetch()
    assert site.asked == ["HEAD /helm", "HEAD /helm", "GET /helm"]


def test_a_login_in_the_address_is_refused_and_not_shown(registries: Registries, store: BlobStore) -> None:
    with pytest.raises(SourceError) as caught:
        download("https://me:secret@example.com/x", sha256=SHA, subject=SUBJECT, store=store, registries=registries)
    assert "carries a user or password" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "docker login example.com" in caught.value.hint


def test_a_signed_address_is_not_shown_whole(fetch: Fetch, site: Website) -> None:
    site.pages["/helm?signature=secret"] = Page(body=b"other")
    with pytest.raises(IntegrityError) as caught:
        fetch("/helm?signature=secret")
    assert "secret" not in str(caught.value)


def test_plain_http_must_be_declared(site: Website, store: BlobStore) -> None:
    registries = site.registries(SilentMeter(), plain_http=False)
    with registries.transport, pytest.raises(SourceError, match="plain HTTP") as caught:
        download(f"{site.url}/helm", sha256=SHA, subject=SUBJECT, store=store, registries=registries)
    assert "plain_http: true" in caught.value.hint
    assert site.asked == []


def test_a_local_file_is_copied(tmp_path: Path, store: BlobStore) -> None:
    path = tmp_path / "runbook"
    path.write_bytes(BODY)
    descriptor = take_local(path, sha256=None, subject=SUBJECT, store=store)
    assert (descriptor.digest, descriptor.size) == (SHA, len(BODY))
    path.write_bytes(b"edited in place")
    assert store.path(SHA).read_bytes() == BODY


def test_another_local_file_is_refused(tmp_path: Path, store: BlobStore) -> None:
    path = tmp_path / "runbook"
    path.write_bytes(b"other")
    with pytest.raises(IntegrityError) as caught:
        take_local(path, sha256=SHA, subject=SUBJECT, store=store)
    assert SHA.hex in caught.value.what
    assert Digest.of(b"other").hex in caught.value.what
    assert "doit lock" in caught.value.hint


@pytest.mark.parametrize(("name", "state"), [("absent", "does not exist"), (".", "is not a file")])
def test_what_is_no_local_file(tmp_path: Path, name: str, state: str) -> None:
    with pytest.raises(AirgapError, match=state) as caught:
        describe_local(tmp_path / name, subject=SUBJECT)
    assert caught.value.hint


def test_checksum_reads_it_once_and_keeps_nothing(site: Website, registries: Registries, tmp_path: Path) -> None:
    assert checksum(f"{site.url}/helm", subject=SUBJECT, registries=registries) == SHA
    assert site.asked.count("GET /helm") == 1
    assert not (tmp_path / "cache").exists()


def test_checksum_of_what_is_not_there(site: Website, registries: Registries) -> None:
    with pytest.raises(AirgapError, match="404"):
        checksum(f"{site.url}/gone", subject=SUBJECT, registries=registries)
