"""Pulling from a real registry: plain, TLS and with a login; killed, together, cut, and larger than memory."""

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle.errors import IntegrityError, RegistryError, StorageError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.transfer.fetch import FetchedImage, fetch_image, pin_image
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.http.transport import Transport
from clients.registry.repository import Registries
from tests.fixtures.images.images import AMD64, image, index, layer, random_chunks
from tests.fixtures.parts.registries import RunningRegistry, each_version
from tests.fixtures.places import ROOT

MIB = 1024 * 1024

PULLER = """
import sys
from pathlib import Path
from bundle.transfer.fetch import fetch_image
from bundle.oci.locations import HostSettings
from bundle.meter import SilentMeter
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.registry.repository import Registries
from clients.http.transport import Transport

reference, cache = Reference.parse(sys.argv[1]), Path(sys.argv[2])
with Transport({reference.host: HostSettings(plain_http=True)}) as transport:
    source = Registries(transport, credentials=Credentials({})).repository(reference, subject="image")
    fetch_image(
        source, source.resolve(), BlobStore(cache), subject="image", meter=SilentMeter(), transfers=Transfers(2)
    )
# Not getrusage: its peak is inherited from the process that started this one.
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@contextmanager
def registries_for(registry: RunningRegistry, login: Path | None = None) -> Iterator[Registries]:
    environment = {"DOCKER_CONFIG": str(login)} if login else {}
    with Transport({registry.host: registry.settings}, environment={}) as transport:
        yield Registries(transport, credentials=Credentials(environment))


def pull(
    registry: RunningRegistry,
    name: str,
    store: BlobStore,
    *,
    platform: Platform | None = None,
    login: Path | None = None,
) -> FetchedImage:
    """Pin and fetch, as `doit bundle` does; everything is then compared with what the registry keeps."""
    with registries_for(registry, login) as registries:
        source = registries.repository(Reference.parse(f"{registry.host}/{name}"), subject=name)
        found = pin_image(source, platform, subject=name)
        fetched = fetch_image(source, found.root, store, subject=name, meter=SilentMeter(), transfers=Transfers(2))
    assert found.size == sum(blob.size for blob in fetched.blobs)
    for part in (*fetched.manifests, *fetched.blobs):
        assert store.path(part.digest).read_bytes() == registry.blob_path(part.digest).read_bytes()
    return fetched


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "cache")


@each_version
@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_image(registry: RunningRegistry, store: BlobStore, docker: bool) -> None:
    root = registry.put_image(f"pull/{docker}".lower(), "1", sizes=(MIB, 3 * MIB, 1), docker=docker)
    assert pull(registry, f"pull/{docker}:1".lower(), store).root == root
    assert root.media_type == (media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST)


@each_version
@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_index(registry: RunningRegistry, store: BlobStore, docker: bool) -> None:
    arm = Platform.parse("linux/arm64/v8")
    images = [image(layer(f"index-{each}", MIB), platform=each, docker=docker) for each in (AMD64, arm)]
    name = f"pull/index-{docker}".lower()
    whole = registry.put(index(*images, docker=docker), name, "1")
    one = pull(registry, f"{name}:1", store, platform=Platform.parse("linux/arm64"))
    assert one.root.digest == images[1].descriptor.digest
    assert len(one.blobs) == 2
    every = pull(registry, f"{name}:1", store)
    assert every.root == whole
    assert len(every.blobs) == 4


def test_over_tls(tls_registry: RunningRegistry, store: BlobStore) -> None:
    root = tls_registry.put_image("pull/tls", "1", sizes=(3 * MIB,))
    assert pull(tls_registry, "pull/tls:1", store).root == root


def test_with_a_login(auth_registry: RunningRegistry, store: BlobStore, tmp_path: Path) -> None:
    root = auth_registry.put_image("pull/private", "1", sizes=(MIB,))
    with pytest.raises(RegistryError, match=r"pull/private:1: .*401 .*UNAUTHORIZED: authentication required") as caught:
        pull(auth_registry, "pull/private:1", store)
    assert f"docker login {auth_registry.host}" in caught.value.hint
    login = f"{auth_registry.username}:{auth_registry.password}"
    auths = {auth_registry.host: {"auth": base64.b64encode(login.encode()).decode()}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert pull(auth_registry, "pull/private:1", store, login=tmp_path).root == root


@each_version
@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        pytest.param("pull/there:2", "MANIFEST_UNKNOWN", "has no tag '2'", id="tag"),
        pytest.param(
            "pull/nowhere:1", "MANIFEST_UNKNOWN|NAME_UNKNOWN", "has no repository pull/nowhere", id="repository"
        ),
    ],
)
def test_what_is_not_there(registry: RunningRegistry, store: BlobStore, name: str, code: str, hint: str) -> None:
    registry.put_image("pull/there", "1")
    with pytest.raises(RegistryError, match=rf"^{name}: .*404 .*({code})") as caught:
        pull(registry, name, store)
    assert hint in caught.value.hint


def test_a_second_pull_moves_no_blob(registry: RunningRegistry, store: BlobStore) -> None:
    registry.put_image("pull/again", "1", sizes=(MIB,))
    pull(registry, "pull/again:1", store)
    with registry.recorded() as requests:
        pull(registry, "pull/again:1", store)
    assert [request for request in requests if "/blobs/" in request.path and request.size > 1000] == []


def puller(registry: RunningRegistry, name: str, cache: Path) -> "subprocess.Popen[str]":
    """A pull in a process of its own; prints its peak memory (`VmHWM: N kB`)."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PULLER), f"{registry.host}/{name}", str(cache)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_part(store: BlobStore, size: int) -> None:
    """Until the half-fetched blobs have `size` bytes."""
    deadline = time.monotonic() + 30
    while part_size(store) < size:
        assert time.monotonic() < deadline, f"no {size} bytes came"
        time.sleep(0.005)


def part_size(store: BlobStore) -> int:
    return sum(path.stat().st_size for path in (store.root / "partial").glob("*"))


@each_version
def test_killed_and_run_again_continues_by_range(registry: RunningRegistry, store: BlobStore) -> None:
    size = 400 * MIB
    digest = put_large(registry, "pull/killed", size)
    with puller(registry, "pull/killed:1", store.root) as process:
        wait_for_part(store, size // 20)
        process.send_signal(signal.SIGKILL)
    have = part_size(store)
    assert have < size, "it was not killed in the middle"
    assert not store.path(digest).exists()
    with registry.recorded() as requests:
        pull(registry, "pull/killed:1", store)
    # A busy registry may log the cut request, a 200, only now.
    (blob,) = [request for request in requests if str(digest) in request.path and request.status != 200]
    assert (blob.status, blob.size) == (206, size - have)
    assert not list((store.root / "partial").glob("*"))


def test_two_at_once_on_one_cache_fetch_once(registry: RunningRegistry, store: BlobStore) -> None:
    size = 100 * MIB
    digest = put_large(registry, "pull/together", size)
    with registry.recorded() as requests:
        processes = [puller(registry, "pull/together:1", store.root) for _ in range(2)]
        for process in processes:
            with process:
                process.communicate()
            assert process.returncode == 0
    assert sum(request.size for request in requests if str(digest) in request.path) == size
    assert digest.matches(store.path(digest).read_bytes())


@each_version
def test_a_damaged_blob_of_the_registry_is_refused(registry: RunningRegistry, store: BlobStore) -> None:
    registry.put_image("pull/damaged", "1", sizes=(MIB,))
    fetched = pull(registry, "pull/damaged:1", BlobStore(store.root / "good"))
    damaged = max(fetched.blobs, key=lambda blob: blob.size)
    data = registry.blob_path(damaged.digest)
    data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    with pytest.raises(IntegrityError, match=rf"pull/damaged:1: .*{damaged.digest}"):
        pull(registry, "pull/damaged:1", store)
    assert not store.path(damaged.digest).exists()


def test_a_full_disk(registry: RunningRegistry, small_disk: Callable[[int], Path], store: BlobStore) -> None:
    registry.put_image("pull/full", "1", sizes=(12 * MIB,))
    small = BlobStore(small_disk(8) / "cache")
    with pytest.raises(
        StorageError, match=r"can't store the blobs of pull/full:1: .*expected 12\.6 MB free, found 8\.[0-9] MB"
    ) as caught:
        pull(registry, "pull/full:1", small)
    assert "free some space" in caught.value.hint
    assert not [path for path in small.root.rglob("*") if path.stat().st_size > MIB], "nothing was begun"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_layer(registry: RunningRegistry, store: BlobStore) -> None:
    put_large(registry, "pull/huge", 3 * 1024 * MIB)
    with puller(registry, "pull/huge:1", store.root) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    assert int(output.split()[1]) < 100 * 1024


def put_large(registry: RunningRegistry, repository: str, size: int) -> Digest:
    """An image `:1` with one layer of so many bytes, never in memory as a whole; returns the layer's digest."""
    hasher = Digest.of(b"").hasher()
    for chunk in random_chunks(repository, size):
        hasher.update(chunk)
    digest = Digest.parse(f"sha256:{hasher.hexdigest()}")
    registry.put_blob(repository, digest, random_chunks(repository, size), size)
    config = json.dumps({"os": "linux", "architecture": "amd64", "of": repository}).encode()
    registry.put_blob(repository, Digest.of(config), [config], len(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(config), size=len(config)).to_dict(),
        "layers": [Descriptor(media_type=media_types.OCI_LAYER, digest=digest, size=size).to_dict()],
    }
    registry.put_manifest(repository, "1", json.dumps(manifest).encode(), media_types.OCI_MANIFEST)
    return digest
