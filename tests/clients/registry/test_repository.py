"""One repository of a registry as a source."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import AirgapError, IntegrityError, NetworkError, RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.storage.blob_store import BlobStore
from clients.http.credentials import Credentials
from clients.registry.repository import Registries, RegistryRepository
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.servers.faulty_registry import (
    Fault,
    FaultyRegistry,
    corrupt,
    cut,
    instead,
    redirect,
    refusal,
    with_headers,
)

SUBJECT = "image 'app'"
LAYER = bytes(range(256)) * 1000
ABSENT = Digest.of(b"absent")
Open = Callable[[str], RegistryRepository]


@pytest.fixture
def open_(registries: Registries, faulty: FaultyRegistry) -> Open:
    """Opens a repository of the stand-in: what follows the host."""
    return lambda rest: registries.repository(Reference.parse(f"{faulty.host}/{rest}"), subject=SUBJECT)


@pytest.fixture
def image(faulty: FaultyRegistry) -> Descriptor:
    """`team/app:1`, with one layer."""
    return faulty.put_image("team/app", "1", LAYER)


@pytest.fixture
def layer(image: Descriptor) -> Descriptor:
    return Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(LAYER), size=len(LAYER))


# Resolving.


def test_a_tag(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    assert app.resolve() == image
    (seen,) = faulty.seen
    assert (seen.method, seen.path) == ("HEAD", "/v2/team/app/manifests/1")
    assert seen.headers["accept"].split(", ") == list(media_types.ACCEPT_MANIFEST)


def test_a_manifest_is_asked_for_once_in_a_run(
    app: RegistryRepository, open_: Open, faulty: FaultyRegistry, image: Descriptor
) -> None:
    raw = app.manifest(image)
    assert open_(f"team/app@{image.digest}").manifest(image) == raw
    assert len(faulty.seen) == 1


def test_no_tag_is_latest(open_: Open, faulty: FaultyRegistry) -> None:
    faulty.put_image("team/app", "latest")
    open_("team/app").resolve()
    assert faulty.seen[0].path.endswith("/manifests/latest")


@pytest.mark.parametrize("tag", ["", ":1"])
def test_a_pinned_digest_goes_first(open_: Open, faulty: FaultyRegistry, image: Descriptor, tag: str) -> None:
    assert open_(f"team/app{tag}@{image.digest}").resolve() == image
    assert faulty.seen[0].path.endswith(f"/manifests/{image.digest}")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(with_headers(Docker_Content_Digest=""), id="no-digest"),
        pytest.param(with_headers(Content_Type="application/json"), id="no-media-type"),
        pytest.param(with_headers(Content_Type=f"{media_types.OCI_MANIFEST}; charset=utf-8"), id="charset"),
        pytest.param(with_headers(Content_Length=""), id="no-length"),
        pytest.param(instead(405), id="no-head"),
        pytest.param(instead(404), id="head-lies"),
    ],
)
def test_a_poor_answer_to_head(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, fault: Fault
) -> None:
    faulty.plan("HEAD", fault)
    assert app.resolve() == image


def test_get_without_a_digest_either(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("/manifests/", with_headers(Docker_Content_Digest=""), with_headers(Docker_Content_Digest=""))
    assert app.resolve() == image


def test_a_digest_that_is_none(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("HEAD", with_headers(Docker_Content_Digest="md5:1"))
    with pytest.raises(SourceError, match=rf"{SUBJECT}: {faulty.host} announces 'md5:1' is not a digest"):
        app.resolve()


def test_get_with_another_digest(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("/manifests/", instead(405), with_headers(Docker_Content_Digest=str(ABSENT)))
    with pytest.raises(IntegrityError, match=rf"{SUBJECT}: .*digest {image.digest}, expected {ABSENT}"):
        app.resolve()


@pytest.mark.parametrize(
    ("raw", "media_type", "message"),
    [
        pytest.param(
            b'{"schemaVersion": 1}', "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1", id="v1"
        ),
        pytest.param(b"<html>", "text/html", "not JSON", id="login-page"),
        pytest.param(b'{"schemaVersion": 2}', "application/json", "media type", id="something-else"),
    ],
)
def test_what_is_no_image(
    app: RegistryRepository, faulty: FaultyRegistry, raw: bytes, media_type: str, message: str
) -> None:
    faulty.put_manifest("team/app", "1", raw, media_type)
    with pytest.raises(SourceError, match=rf"{SUBJECT}: {faulty.host}: .*{message}"):
        app.resolve()


@pytest.mark.parametrize(
    ("rest", "message", "hint"),
    [
        pytest.param("team/app:2", "MANIFEST_UNKNOWN: not known here", "has no tag '2'; it has 1 other tag", id="tag"),
        pytest.param("team/web:1", "NAME_UNKNOWN: not known here", "has no repository team/web", id="repository"),
        pytest.param(f"team/app@{ABSENT}", "MANIFEST_UNKNOWN: not known here", "has no digest sha256", id="digest"),
    ],
)
def test_what_is_not_there(
    open_: Open, faulty: FaultyRegistry, image: Descriptor, rest: str, message: str, hint: str, pauses: list[float]
) -> None:
    with pytest.raises(
        RegistryError, match=rf"^{SUBJECT}: {faulty.host} answered 404 Not Found \({message}\)"
    ) as caught:
        open_(rest).resolve()
    assert hint in caught.value.hint
    assert pauses == []


# Manifests.


def test_the_bytes_are_exact(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    assert app.manifest(image) == faulty.manifests["team/app", "1"][0]


@pytest.mark.parametrize("size", [0, None])
def test_an_unknown_size(app: RegistryRepository, image: Descriptor, size: int | None) -> None:
    assert app.manifest(image if size is None else replace(image, size=0))


def test_a_manifest_that_was_changed(app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor) -> None:
    faulty.plan("GET", corrupt)
    with pytest.raises(IntegrityError, match=rf"^{SUBJECT}: {faulty.host} gave .* expected {image.digest}") as caught:
        app.manifest(image)
    assert "nothing was kept" in caught.value.hint


@pytest.mark.parametrize("size", [1, 10_000], ids=["smaller", "larger"])
def test_a_manifest_that_is_listed_with_another_size(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, meter: RecordingMeter, size: int
) -> None:
    assert Digest.of(app.manifest(replace(image, size=size))) == image.digest
    (said,) = meter.said
    assert said.startswith(f"{SUBJECT}: warning: {faulty.host} has {image.size} bytes for manifest {image.digest}")
    assert f"listed with {size}" in said


def test_a_length_that_a_head_states_wrongly(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor
) -> None:
    faulty.plan("HEAD", with_headers(Content_Length="12345"))
    assert Digest.of(app.manifest(app.resolve())) == image.digest


@pytest.mark.parametrize("coded", [True, False], ids=["coded", "stated and not so"])
def test_a_content_coding_that_nobody_asked_for(
    app: RegistryRepository, faulty: FaultyRegistry, image: Descriptor, coded: bool
) -> None:
    raw = faulty.manifests["team/app", "1"][0]
    body = gzip.compress(raw) if coded else raw
    faulty.plan("GET", instead(200, body, Content_Type=image.media_type, Content_Encoding="gzip"))
    assert app.manifest(image) == raw


def test_the_next_step_is_about_who_answered(
    app: RegistryRepository, faulty: FaultyRegistry, other: FaultyRegistry, image: Descriptor, layer: Descriptor
) -> None:
    faulty.plan("/blobs/", redirect(f"{other.url}/elsewhere"))
    other.plan("/elsewhere", instead(403))
    with pytest.raises(RegistryError, match=f"{other.host} answered 403") as caught:
        list(app.read(layer, 0))
    hint = caught.value.hint
    assert hint == (
        f"check that {other.host} answers requests from here, also through a proxy: "
        f"{faulty.host} sends this request on to {other.host}"
    )


# Blobs.


@pytest.mark.parametrize("offset", [0, 100_000, len(LAYER)])
def test_a_blob(app: RegistryRepository, layer: Descriptor, offset: int) -> None:
    assert b"".join(app.read(layer, offset)) == LAYER[offset:]


def test_a_blob_that_is_not_there(app: RegistryRepository, faulty: FaultyRegistry, layer: Descriptor) -> None:
    with pytest.raises(RegistryError, match=rf"{SUBJECT}: .*404") as caught:
        b"".join(app.read(replace(layer, digest=ABSENT), 0))
    assert caught.value.hint


def test_a_corrupt_blob_is_fetched_again(
    app: RegistryRepository, faulty: FaultyRegistry, layer: Descriptor, tmp_path: Path, meter: RecordingMeter
) -> None:
    faulty.plan("/blobs/", corrupt)
    store = BlobStore(tmp_path / "cache")
    assert store.fetch(layer, lambda offset: app.read(layer, offset), subject=SUBJECT, meter=meter)
    assert store.path(layer.digest).read_bytes() == LAYER
    assert any("damaged" in said for said in meter.said)


def test_a_blob_that_stays_corrupt(
    app: RegistryRepository, faulty: FaultyRegistry, layer: Descriptor, tmp_path: Path
) -> None:
    faulty.plan("/blobs/", corrupt, corrupt)
    store = BlobStore(tmp_path / "cache")
    with pytest.raises(IntegrityError, match=rf"{SUBJECT}: .*{layer.digest}"):
        store.fetch(layer, lambda offset: app.read(layer, offset), subject=SUBJECT)
    assert not store.path(layer.digest).exists()


def test_what_came_before_a_failure_is_continued(
    app: RegistryRepository, faulty: FaultyRegistry, layer: Descriptor, tmp_path: Path
) -> None:
    store = BlobStore(tmp_path / "cache")
    faulty.plan("/blobs/", cut(150_000), *[instead(503)] * 3)
    with pytest.raises(RegistryError, match="503"):
        store.fetch(layer, lambda offset: app.read(layer, offset), subject=SUBJECT)
    faulty.seen.clear()
    store.fetch(layer, lambda offset: app.read(layer, offset), subject=SUBJECT)
    assert faulty.seen[0].headers["range"] == "bytes=150000-"


# Mirrors.


@pytest.fixture
def mirror(faulty: FaultyRegistry, other: FaultyRegistry, image: Descriptor) -> FaultyRegistry:
    """The other stand-in holds the same image as `hub/team/app:1`."""
    other.blobs.update(faulty.blobs)
    other.put_manifest("hub/team/app", "1", *faulty.manifests["team/app", "1"])
    return other


@pytest.fixture
def mirrored(
    make_transport: MakeTransport, faulty: FaultyRegistry, mirror: FaultyRegistry, meter: RecordingMeter
) -> RegistryRepository:
    return _mirrored(make_transport, faulty.host, faulty, mirror, meter)


def _mirrored(
    make_transport: MakeTransport, host: str, faulty: FaultyRegistry, mirror: FaultyRegistry, meter: RecordingMeter
) -> RegistryRepository:
    plain = HostSettings(plain_http=True)
    settings = {host: HostSettings(plain_http=True, mirror=f"{mirror.host}/hub"), mirror.host: plain}
    registries = Registries(make_transport(settings), credentials=Credentials({}), meter=meter)
    return registries.repository(Reference.parse(f"{host}/team/app:1"), subject=SUBJECT)


def pull(repository: RegistryRepository, tmp_path: Path) -> bytes:
    """Everything, as a pull asks for it."""
    store = BlobStore(tmp_path / "cache")
    manifest = json.loads(repository.manifest(repository.resolve()))
    layer = Descriptor.from_dict(manifest["layers"][0])
    store.fetch(layer, lambda offset: repository.read(layer, offset), subject=SUBJECT)
    return store.path(layer.digest).read_bytes()


def test_a_mirror_is_asked_first(
    mirrored: RegistryRepository, mirror: FaultyRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    assert pull(mirrored, tmp_path) == LAYER
    assert len(mirror.seen) == 3
    assert not faulty.seen


def test_docker_hub_by_its_mirror(
    make_transport: MakeTransport, mirror: FaultyRegistry, faulty: FaultyRegistry, meter: RecordingMeter, tmp_path: Path
) -> None:
    assert pull(_mirrored(make_transport, "docker.io", faulty, mirror, meter), tmp_path) == LAYER


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        pytest.param("HEAD", [instead(404), refusal(404, "NAME_UNKNOWN", "not here")], id="lacks-it"),
        pytest.param("HEAD", [instead(403), refusal(403, "DENIED", "no")], id="denies"),
        pytest.param("GET /v2/hub/team/app/manifests", [corrupt], id="manifest-changed"),
        pytest.param("/blobs/", [instead(404)], id="lacks-the-blob"),
        pytest.param("/blobs/", [corrupt], id="blob-changed"),
        pytest.param("/blobs/", [cut(100_000), *[instead(500)] * 3], id="blob-ends"),
        pytest.param("HEAD", [instead(503)] * 3, id="down"),
    ],
)
def test_a_mirror_that_fails(
    mirrored: RegistryRepository,
    mirror: FaultyRegistry,
    faulty: FaultyRegistry,
    part: str,
    fault: list[Fault],
    tmp_path: Path,
    meter: RecordingMeter,
) -> None:
    if part == "HEAD":
        mirror.plan("/manifests/", *fault)
    else:
        mirror.plan(part, *fault)
    assert pull(mirrored, tmp_path) == LAYER
    assert faulty.seen


def test_falling_back_is_told(
    mirrored: RegistryRepository, mirror: FaultyRegistry, faulty: FaultyRegistry, meter: RecordingMeter
) -> None:
    mirror.plan("/manifests/", instead(404), refusal(404, "NAME_UNKNOWN", "not here"))
    mirrored.resolve()
    (said,) = meter.said
    assert said == (
        f"{SUBJECT}: {mirror.host} answered 404 Not Found (NAME_UNKNOWN: not here); asking {faulty.host} itself"
    )


def test_a_mirror_that_is_down_is_asked_once(
    make_transport: MakeTransport, faulty: FaultyRegistry, image: Descriptor, pauses: list[float], tmp_path: Path
) -> None:
    closed = "127.0.0.1:1"
    settings = {
        faulty.host: HostSettings(plain_http=True, mirror=closed),
        closed: HostSettings(plain_http=True),
    }
    registries = Registries(make_transport(settings), credentials=Credentials({}))
    repository = registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject=SUBJECT)
    assert pull(repository, tmp_path) == LAYER
    assert len(pauses) == 2


def test_a_mirror_without_it_and_a_registry_that_can_not_be_reached(
    make_transport: MakeTransport, mirror: FaultyRegistry, meter: RecordingMeter
) -> None:
    settings = {
        "registry.invalid": HostSettings(mirror=f"{mirror.host}/hub"),
        mirror.host: HostSettings(plain_http=True),
    }
    source = Registries(make_transport(settings), meter=meter)
    absent = source.repository(Reference.parse("registry.invalid/team/absent:1"), subject=SUBJECT)
    with pytest.raises(NetworkError, match=rf"invalid is not known.*; before that, {mirror.host} answered 404"):
        absent.resolve()
    for _ in range(2):  # what is optional is not put to it again
        with pytest.raises(NetworkError, match=f"^{SUBJECT}: host registry.invalid is not known"):
            absent.tagged("other")


def test_both_fail(mirrored: RegistryRepository, mirror: FaultyRegistry, faulty: FaultyRegistry) -> None:
    faulty.manifests.clear()
    mirror.manifests.clear()
    with pytest.raises(AirgapError, match=rf"{SUBJECT}: {faulty.host} answered 404"):
        mirrored.resolve()
