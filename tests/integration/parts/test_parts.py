"""The fixtures themselves: what other tests rely on is true of the real programs."""

import errno
import io
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from tests.fixtures.images.images import AMD64, ARM64, Image, Index, image, index, layer
from tests.fixtures.parts.clusters import OLDEST, kubernetes
from tests.fixtures.parts.engines import newer_engine
from tests.fixtures.parts.parts import Engine, PartError, Skopeo, docker_engine, grype_env, running
from tests.fixtures.parts.registries import Request, RunningRegistry, cncf_registry, each_version

BASE = layer("base", 3000)


def oci_index() -> Index:
    return index(image(BASE, platform=AMD64), image(layer("arm", 100), platform=ARM64))


@each_version
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(image(BASE), id="oci"),
        pytest.param(image(BASE, layer("plain", 50, compressed=False)), id="uncompressed layer"),
        pytest.param(image(BASE, docker=True), id="docker schema 2"),
        pytest.param(oci_index(), id="oci index"),
        pytest.param(index(image(BASE, docker=True), docker=True), id="docker manifest list"),
    ],
)
def test_registry_serves_what_was_put(registry: RunningRegistry, content: Image | Index) -> None:
    registry.put(content, "parts/served", "1")
    answer = registry.request("GET", "/v2/parts/served/manifests/1", headers={"Accept": content.descriptor.media_type})
    assert (answer.status, answer.data) == (200, content.raw)
    assert answer.headers["Docker-Content-Digest"] == str(content.descriptor.digest)


def test_a_version_that_is_not_here_says_how_to_come_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_V3", raising=False)
    started = cncf_registry(tmp_path / "registry", version=3)
    with pytest.raises(PartError, match=r"registry 3 is not here: REGISTRY_V3 is not set \(tools/registry"), started:
        pass


def test_newer_engines_that_are_not_here_say_how_to_come_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGINES", raising=False)
    started = newer_engine("podman", registry="127.0.0.1:1")
    with pytest.raises(PartError, match=r"newer engines need root and ENGINES, .*tools/engines"), started:
        pass


def test_a_scanner_that_is_not_here_says_how_to_come_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCANNER", raising=False)
    with pytest.raises(PartError, match=r"grype is not here: SCANNER is not set \(tools/scanner/build"):
        grype_env(tmp_path)


def test_the_oldest_kubernetes_that_is_not_here_says_how_to_come_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLDEST", raising=False)
    started = kubernetes(tmp_path / "oldest", programs=OLDEST)
    with pytest.raises(PartError, match=r"OLDEST is not set \(tools/kubernetes/oldest/build prints"), started:
        pass


def test_images_are_the_same_every_time() -> None:
    assert image(layer("same", 10)).descriptor == image(layer("same", 10)).descriptor
    assert image(layer("same", 10)).descriptor != image(layer("other", 10)).descriptor


@each_version
def test_requests_are_recorded(registry: RunningRegistry) -> None:
    accept = {"Accept": registry.put_image("parts/recorded", "1").media_type}
    with registry.recorded() as requests:
        body = registry.request("GET", "/v2/parts/recorded/manifests/1", headers=accept).data
        registry.request("GET", "/v2/parts/recorded/manifests/2")
    assert requests[0] == Request(method="GET", path="/v2/parts/recorded/manifests/1", status=200, size=len(body))
    assert [request.status for request in requests] == [200, 404]
    with registry.recorded() as requests:
        pass
    assert requests == []


def test_blob_path_is_what_is_served(registry: RunningRegistry) -> None:
    content = image(layer("damaged", 20))
    registry.put(content, "parts/damaged", "1")
    digest = list(content.blobs)[-1]
    registry.blob_path(digest).write_bytes(b"rot")
    assert registry.request("GET", f"/v2/parts/damaged/blobs/{digest}").data == b"rot"


def test_tls_is_trusted_only_through_the_ca(tls_registry: RunningRegistry) -> None:
    tls_registry.put_image("parts/tls", "1")
    assert tls_registry.url.startswith("https://")
    with urllib3.PoolManager() as stranger, pytest.raises(urllib3.exceptions.SSLError):
        stranger.request("GET", f"{tls_registry.url}/v2/", retries=False)


def test_login_is_wanted(auth_registry: RunningRegistry) -> None:
    auth_registry.put_image("parts/auth", "1")
    with urllib3.PoolManager() as stranger:
        assert stranger.request("GET", f"{auth_registry.url}/v2/", retries=False).status == 401


def test_skopeo_copies(registry: RunningRegistry, skopeo: Skopeo, tmp_path: Path) -> None:
    registry.put_image("parts/skopeo", "1", sizes=(10, 20))
    skopeo.copy(f"docker://{registry.host}/parts/skopeo:1", f"oci:{tmp_path}/out:1", "--src-tls-verify=false")
    assert (tmp_path / "out/index.json").exists()
    assert skopeo.version >= (1, 0, 0)
    with pytest.raises(subprocess.CalledProcessError, match="manifest unknown"):
        skopeo.copy(f"docker://{registry.host}/parts/skopeo:2", f"oci:{tmp_path}/out:2", "--src-tls-verify=false")


def test_engine_pulls_and_is_emptied(registry: RunningRegistry, engine: Engine) -> None:
    descriptor = registry.put_image("parts/engine", "1", docker=True)
    engine.docker("pull", "--quiet", f"{registry.host}/parts/engine:1")
    assert str(descriptor.digest) in engine.docker("images", "--digests")
    engine.clear()
    assert engine.docker("images", "--quiet") == ""


def test_engine_imports_from_stdin(engine: Engine, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w"):
        pass
    (tmp_path / "root.tar").write_bytes(buffer.getvalue())
    assert engine.docker("import", "-", "parts:bytes", stdin=buffer.getvalue()).startswith("sha256:")
    assert engine.docker("import", "-", "parts:file", stdin=tmp_path / "root.tar").startswith("sha256:")


def test_small_disk_fills_up(small_disk: Callable[[int], Path]) -> None:
    place = small_disk(1)
    with pytest.raises(OSError, match="No space left") as raised:
        (place / "big").write_bytes(bytes(2 * 1024 * 1024))
    assert raised.value.errno == errno.ENOSPC


def test_a_part_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(PartError, match=r"(?s)ended with 3.*no such luck"):  # noqa: SIM117
        with running(["sh", "-c", "echo no such luck; exit 3"], tmp_path / "log", ready=lambda: False):
            pass


def test_parts_are_stopped_with_their_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}.new; mv {pids}.new {pids}; wait"
    with pytest.raises(ZeroDivisionError), running(["sh", "-c", script], tmp_path / "log", ready=pids.exists):
        raise ZeroDivisionError
    deadline = time.monotonic() + 10  # the kernel takes a moment over a killed process
    while _runs(int(pids.read_text())):
        assert time.monotonic() < deadline, "the child outlived its part"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_engine_wants_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(PartError, match="root"), docker_engine():
        pass
