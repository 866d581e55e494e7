"""The rehearsal's own registry: what our client pushes is there, and what a registry must refuse is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from clients.sandbox._loopback_registry import loopback_registry
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.images.fake_images import FakeSource

LAYER = bytes(range(256)) * 8 * 1024  # 2 MiB, sent in one piece or more
ABSENT = Digest.of(b"nobody has this")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    with loopback_registry(tmp_path / "registry") as host:
        yield host


@pytest.fixture
def ours(host: str, make_transport: MakeTransport, logins: Path, meter: RecordingMeter) -> Registries:
    transport = make_transport({host: HostSettings(plain_http=True)})
    return Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}), meter=meter)


@pytest.fixture
def source() -> FakeSource:
    source = FakeSource()
    source.image(LAYER, b"small layer")
    return source


def push(ours: Registries, host: str, source: FakeSource, uploads: Uploads, rest: str) -> PushedImage:
    sink = uploads.repository(Reference.parse(f"{host}/{rest}"), subject="image 'app'")
    return push_image(source, source.resolve(), sink, subject="image 'app'", meter=ours.meter, transfers=Transfers(2))


def asked(host: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """The status of an answer and the error code of its body."""
    with urllib3.PoolManager(retries=False) as http:
        answer = http.request(method, f"http://{host}{path}", body=body, headers=headers)
    told = json.loads(answer.data) if answer.data[:1] == b"{" else {}
    return answer.status, told.get("errors", [{}])[0].get("code", "")


def test_what_is_pushed_is_there_byte_for_byte(ours: Registries, host: str, source: FakeSource) -> None:
    uploads = Uploads(ours)
    assert push(ours, host, source, uploads, "team/app:1").changed
    repository = ours.repository(Reference.parse(f"{host}/team/app:1"), subject="image 'app'")
    root = repository.resolve()
    assert root.digest == source.resolve().digest
    assert repository.manifest(root) == source.content[root.digest]
    layer = json.loads(repository.manifest(root))["layers"][0]
    assert asked(host, "HEAD", f"/v2/team/app/blobs/{layer['digest']}")[0] == 200
    assert not push(ours, host, source, uploads, "team/app:1").changed


def test_a_second_repository_gets_its_blobs_by_mount(ours: Registries, host: str, source: FakeSource) -> None:
    uploads = Uploads(ours)
    first = push(ours, host, source, uploads, "team/app:1")
    second = push(ours, host, source, uploads, "team/other:1")
    assert (second.pushed, second.mounted) == (0, first.pushed)


def test_a_blob_is_nobody_elses_without_a_mount(ours: Registries, host: str, source: FakeSource) -> None:
    push(ours, host, source, Uploads(ours), "team/app:1")
    assert asked(host, "HEAD", f"/v2/team/other/blobs/{Digest.of(LAYER)}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", f"/v2/team/app/blobs/{ABSENT}", 404, "BLOB_UNKNOWN", id="no blob"),
        pytest.param("GET", "/v2/team/app/blobs/latest", 404, "BLOB_UNKNOWN", id="no digest"),
        pytest.param("GET", "/v2/team/app/manifests/1", 404, "MANIFEST_UNKNOWN", id="no tag"),
        pytest.param("GET", "/elsewhere", 404, "NAME_UNKNOWN", id="no path of ours"),
        pytest.param("PATCH", "/v2/team/app/blobs/uploads/0a", 404, "BLOB_UPLOAD_UNKNOWN", id="no upload to continue"),
        pytest.param("PUT", "/v2/team/app/blobs/uploads/0a", 404, "BLOB_UPLOAD_UNKNOWN", id="no upload to end"),
        pytest.param("PUT", f"/v2/team/app/manifests/{ABSENT}", 400, "MANIFEST_INVALID", id="another digest"),
        pytest.param("POST", f"/v2/team/app/blobs/uploads/?digest={ABSENT}", 400, "DIGEST_INVALID", id="other content"),
        pytest.param("POST", "/v2/team/app/blobs/uploads/?digest=x", 400, "DIGEST_INVALID", id="no digest to hold"),
    ],
)
def test_refusals(host: str, method: str, path: str, status: int, code: str) -> None:
    assert asked(host, method, path, b"{}" if method != "GET" else b"") == (status, code)


def test_a_manifest_needs_its_blobs(host: str) -> None:
    config = {"mediaType": media_types.OCI_CONFIG, "digest": str(ABSENT), "size": 15}
    raw = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": []}
    ).encode()
    assert asked(host, "PUT", "/v2/team/app/manifests/1", raw) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_an_upload_goes_on_only_where_it_ended(host: str) -> None:
    with urllib3.PoolManager(retries=False) as http:
        place = http.request("POST", f"http://{host}/v2/team/app/blobs/uploads/").headers["Location"]
    assert asked(host, "PATCH", place, b"abc", **{"Content-Range": "0-2"})[0] == 202
    assert asked(host, "PATCH", place, b"abc", **{"Content-Range": "0-2"})[0] == 416
    assert asked(host, "GET", place)[0] == 204
    assert asked(host, "PUT", f"{place}?digest={Digest.of(b'abcdef')}", b"def")[0] == 201
