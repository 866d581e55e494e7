"""Pushing carried bundles into real registries: plain, TLS and with a login; killed, restarted, full, mounted."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from bundle.archive.archive import pack
from bundle.archive.reader import OpenedBundle, open_bundle
from bundle.errors import IntegrityError, RegistryError
from bundle.images.local import open_local
from bundle.metadata.manifest import ImageEntry, Layout
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.oci.locations import LocalImage
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest, is_manifest, reachable
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.http.retry import RetryPolicy
from clients.http.transport import Transport
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.images.fake_images import FakeSource
from tests.fixtures.images.images import image, layer
from tests.fixtures.made.made_bundle import SHARED, make_bundle
from tests.fixtures.parts.parts import Skopeo
from tests.fixtures.parts.registries import RunningRegistry, cncf_registry, each_version
from tests.fixtures.places import ROOT

MIB = 1024 * 1024
ACCEPT = {"Accept": media_types.OCI_MANIFEST}

PUSHER = """
import sys
from pathlib import Path
from bundle.oci.locations import HostSettings
from bundle.oci.locations import LocalImage
from bundle.images.local import open_local
from bundle.meter import SilentMeter
from bundle.transfer.push import push_image
from bundle.oci.reference import Reference
from bundle.transfer.transfers import Transfers
from clients.http.credentials import Credentials
from clients.registry.repository import Registries
from clients.http.transport import Transport
from clients.registry.upload import Uploads

source = open_local(LocalImage(transport="oci", path=Path(sys.argv[1])), subject="image")
reference = Reference.parse(sys.argv[2])
with Transport({reference.host: HostSettings(plain_http=True)}) as transport:
    sink = Uploads(Registries(transport, credentials=Credentials({}))).repository(reference, subject="image")
    root, meter, transfers = source.resolve(), SilentMeter(), Transfers(2)
    print(push_image(source, root, sink, subject="image", meter=meter, transfers=transfers).pushed)
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])
"""


@contextmanager
def uploads_to(
    registry: RunningRegistry, *, login: Path | None = None, retry: RetryPolicy | None = None
) -> Iterator[Uploads]:
    environment = {"DOCKER_CONFIG": str(login)} if login else {}
    with Transport({registry.host: registry.settings}, environment={}, retry=retry) as transport:
        yield Uploads(Registries(transport, credentials=Credentials(environment)))


def target(registry: RunningRegistry, entry: ImageEntry, project: str) -> Reference:
    return replace(entry.reference, host=registry.host, path=f"{project}/{entry.name}")


def push_all(
    bundle: OpenedBundle, registry: RunningRegistry, project: str, *, login: Path | None = None
) -> list[PushedImage]:
    """Push all images of a bundle to `project`; the registry's files are then compared with the bundle's."""
    done = []
    with uploads_to(registry, login=login) as uploads:
        for entry in bundle.manifest.images:
            source = bundle.image(entry)
            sink = uploads.repository(target(registry, entry, project), subject=entry.name)
            meter, transfers = SilentMeter(), Transfers(2)
            done.append(push_image(source, entry.root, sink, subject=entry.name, meter=meter, transfers=transfers))
            for each in reachable(entry.root, source.manifest):
                data = source.manifest(each) if is_manifest(each) else b"".join(source.read(each, 0))
                assert registry.blob_path(each.digest).read_bytes() == data
    return done


def head(registry: RunningRegistry, repository: str, tag: str = "1") -> urllib3.BaseHTTPResponse:
    return registry.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers=ACCEPT)


def carried(place: Path, form: str, layout: Layout) -> OpenedBundle:
    root = make_bundle(place, layout)
    if form == "directory":
        return open_bundle(root)
    packed = pack(root, place / "demo-1.2.tar", epoch=0, split=7000 if form == "parts" else None)
    shutil.rmtree(root)
    return open_bundle(packed.parts[0])


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
@pytest.mark.parametrize("form", ["directory", "archive", "parts"])
def test_every_form_and_layout(
    registry: RunningRegistry, skopeo: Skopeo, tmp_path: Path, form: str, layout: Layout
) -> None:
    bundle = carried(tmp_path, form, layout)
    project = f"push/{form}-{layout}"
    assert all(image.changed for image in push_all(bundle, registry, project))
    for entry in bundle.manifest.images:
        place = f"docker://{target(registry, entry, project)}"
        raw = skopeo.run("inspect", "--raw", "--tls-verify=false", place)
        assert Digest.of(raw.encode()) == entry.digest
        skopeo.copy(place, f"dir:{tmp_path / entry.name}", "--all", "--src-tls-verify=false")  # checks every digest
    with registry.recorded() as requests:
        again = push_all(bundle, registry, project)
    assert [(image.changed, image.pushed) for image in again] == [(False, 0)] * len(again)
    assert [request.method for request in requests] == ["HEAD"] * len(again)


def test_over_tls(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    assert all(image.changed for image in push_all(carried(tmp_path, "parts", "oci"), tls_registry, "push"))


def test_with_a_login(auth_registry: RunningRegistry, tmp_path: Path) -> None:
    bundle = carried(tmp_path, "archive", "docker-archive")
    with pytest.raises(RegistryError, match=r"^api: .* answered 401") as caught:
        push_all(bundle, auth_registry, "push")
    assert f"may push to {auth_registry.host}/push/api: docker login {auth_registry.host}" in caught.value.hint
    login = base64.b64encode(f"{auth_registry.username}:{auth_registry.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {auth_registry.host: {"auth": login}}}))
    done = push_all(bundle, auth_registry, "push", login=tmp_path)
    assert sum(image.mounted for image in done) > 0


@each_version
def test_shared_layers_are_mounted(registry: RunningRegistry, tmp_path: Path) -> None:
    digest = Digest.of(SHARED.data)
    with registry.recorded() as requests:
        done = push_all(carried(tmp_path, "directory", "oci"), registry, "push/shared")
    assert [image.mounted for image in done] == [0, 0, len(SHARED.data), 0]
    about = [(request.method, request.status) for request in requests if digest.hex in request.path]
    assert about == [("HEAD", 404), ("PUT", 201), ("HEAD", 404), ("POST", 201)]


@each_version
def test_a_layer_of_a_given_sibling_is_mounted(registry: RunningRegistry) -> None:
    registry.put_image("push/sibling", "1", sizes=(2 * MIB,))
    source = FakeSource()
    sibling = Manifest.parse(registry.request("GET", "/v2/push/sibling/manifests/1", headers=ACCEPT).data)
    source.image(registry.blob_path(sibling.layers[0].digest).read_bytes())
    with registry.recorded() as requests, uploads_to(registry) as uploads:
        sink = uploads.repository(
            Reference.parse(f"{registry.host}/push/new:1"), subject="new",
            siblings=[Reference.parse(f"{registry.host}/push/sibling")],
        )  # fmt: skip
        done = push_image(source, source.resolve(), sink, subject="new", meter=SilentMeter(), transfers=Transfers(2))
    assert done.mounted == sibling.layers[0].size
    about = [(request.method, request.status) for request in requests if sibling.layers[0].digest.hex in request.path]
    assert about == [("HEAD", 404), ("HEAD", 200), ("POST", 201)]


def test_a_damaged_blob_stays_here(registry: RunningRegistry, tmp_path: Path) -> None:
    bundle = carried(tmp_path, "directory", "oci")
    blob = bundle.path / f"images/blobs/sha256/{Digest.of(SHARED.data).hex}"
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=rf"^api: its blob {Digest.of(SHARED.data)} is damaged"):
        push_all(bundle, registry, "push/damaged")
    assert head(registry, "push/damaged/api", "1.0").status == 404
    assert registry.request("HEAD", f"/v2/push/damaged/api/blobs/{Digest.of(SHARED.data)}").status == 404


# Large ones, killed and restarted.


def large_layout(place: Path, *sizes: int) -> Path:
    """A layout with one image of such layers."""
    made = image(*(layer(f"{place.name}-{number}", size) for number, size in enumerate(sizes)))
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    for digest, data in {**made.blobs, made.descriptor.digest: made.raw}.items():
        (blobs / digest.hex).write_bytes(data)
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [made.descriptor.to_dict()]}))
    return place


def pusher(layout: Path, name: str) -> "subprocess.Popen[str]":
    """A push in a process of its own; prints the bytes sent and its peak memory in KiB."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PUSHER), str(layout), name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def uploaded(root: Path) -> int:
    """The bytes of uploads that are under way."""
    sizes = []
    for path in root.glob("docker/registry/v2/repositories/**/_uploads/*/data"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


def test_killed_and_run_again(tmp_path: Path) -> None:
    sizes = (1 * MIB, 150 * MIB, 2 * MIB)
    with cncf_registry(tmp_path / "registry") as registry:
        layout = large_layout(tmp_path / "layout", *sizes)
        name = f"{registry.host}/push/killed:1"
        with pusher(layout, name) as process:
            wait_until(lambda: uploaded(registry.data) > 20 * MIB)
            process.send_signal(signal.SIGKILL)
        assert head(registry, "push/killed").status == 404
        links = registry.data.glob("docker/registry/v2/repositories/push/killed/_layers/sha256/*/link")
        before = {path.parent.name for path in links}
        with registry.recorded() as requests, pusher(layout, name) as process:
            sent, _ = process.communicate()
        assert process.returncode == 0
        assert head(registry, "push/killed").status == 200
        stored = {path.name: path.stat().st_size for path in (layout / "blobs/sha256").iterdir()}
        asked = [each for each in requests if each.method == "HEAD" and "/blobs/sha256:" in each.path]
        lacked = {each.path.rpartition(":")[2] for each in asked if each.status == 404}
        assert not lacked & before  # the registry may end an upload of the killed one later than that
        assert int(sent.split()[0]) == sum(stored[name] for name in lacked)
        assert any(stored[name] >= 150 * MIB for name in lacked), "it was killed in the middle"


def test_a_registry_that_restarts_half_way(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    with cncf_registry(root) as registry:
        layout = large_layout(tmp_path / "layout", 400 * MIB)
        process = pusher(layout, f"{registry.host}/push/restarted:1")
        wait_until(lambda: uploaded(registry.data) > 10 * MIB)
    assert not list(registry.data.glob("**/_manifests/tags")), "it was not stopped half-way"
    with cncf_registry(root, port=int(registry.host.rpartition(":")[2])) as again, process:
        process.communicate()
        assert process.returncode == 0
        assert head(again, "push/restarted").headers["Docker-Content-Digest"] in (layout / "index.json").read_text()


def test_a_full_registry(small_disk: Callable[[int], Path], tmp_path: Path) -> None:
    with cncf_registry(small_disk(8)) as registry:
        layout = large_layout(tmp_path / "layout", 12 * MIB)
        source = open_local(LocalImage(transport="oci", path=layout), subject="image 'full'")
        policy = RetryPolicy(attempts=2, base=0.01)
        with uploads_to(registry, retry=policy) as uploads:
            sink = uploads.repository(Reference.parse(f"{registry.host}/push/full:1"), subject="image 'full'")
            with pytest.raises(RegistryError, match=r"image 'full': .*answered 500.*gave up after 2") as caught:
                push_image(source, source.resolve(), sink, subject="full", meter=SilentMeter(), transfers=Transfers(1))
        assert "free space" in caught.value.hint


@pytest.mark.slow
def test_memory_does_not_grow_with_the_layer(registry: RunningRegistry, tmp_path: Path) -> None:
    layout = large_layout(tmp_path / "layout", 700 * MIB, 300 * MIB)
    with pusher(layout, f"{registry.host}/push/huge:1") as process:
        output, _ = process.communicate()
    assert int(output.split()[1]) < 100 * 1024


@each_version
def test_two_pushes_of_one_image_at_once(registry: RunningRegistry, tmp_path: Path) -> None:
    bundle = carried(tmp_path, "directory", "oci")
    errors: list[BaseException] = []

    def push() -> None:
        try:
            push_all(bundle, registry, "push/together")
        except BaseException as err:  # carried over to the test
            errors.append(err)

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
