"""What the operator meets when a registry misbehaves: one clear message, an exit code of 1, nothing lost."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.images.images import pseudo_random
from tests.fixtures.servers.faulty_registry import FaultyRegistry, basic, cut, faulty_registry, instead, refusal, stall

LAYER = pseudo_random("layer", 3_000_000)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with faulty_registry() as running:
        running.put_image("team/api", "1.0", LAYER, config={"os": "linux", "architecture": "amd64"})
        yield running


@pytest.fixture
def bench(tmp_path: Path, registry: FaultyRegistry) -> Workbench:
    bench = make(tmp_path / "project", images=["local"])
    images = bench.spec["images"]
    assert isinstance(images, list)
    images.append({"name": "api", "source": f"{registry.host}/team/api:1.0"})
    bench.spec["registries"] = {registry.host: {"plain_http": True}}
    bench.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    bench.write()
    return bench


def blob_reads(registry: FaultyRegistry) -> list[str]:
    """The Range of each read of the big layer."""
    return [seen.headers.get("range", "") for seen in registry.requests("GET") if str(_digest(registry)) in seen.path]


def _digest(registry: FaultyRegistry) -> str:
    return next(digest for digest, data in registry.blobs.items() if data == LAYER)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refusal(401, "UNAUTHORIZED", "authentication required"), ["401", "authentication required", "docker login"]),
        (refusal(403, "DENIED", "requested access is denied"), ["403", "requested access is denied"]),
        (refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"), ["404", "manifest unknown"]),
        (instead(400, b"<html>proxy says no</html>", Content_Type="text/html"), ["400"]),
        (instead(429, b"", Retry_After="3600"), ["429", "3600"]),
    ],
    ids=["401", "403", "404", "html", "429 for an hour"],
)
def test_a_refusal_is_told_once_and_the_rest_is_done(
    bench: Workbench, registry: FaultyRegistry, fault: object, said: list[str]
) -> None:
    assert callable(fault)
    registry.plan("/manifests/", *[fault] * 10)
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert ran.err.count("FAILED") == 1
    assert f"image 'api' ({registry.host}/team/api:1.0)" in ran.err
    for text in said:
        assert text in ran.err
    assert "<html>" not in ran.err
    assert "save:local" in ran.steps, "what does not depend on the failure is done"


@pytest.mark.parametrize(
    "faults",
    [[instead(500)], [instead(503, b"", Retry_After="0")], [instead(429, b"", Retry_After="0")], [cut(1_000_000)]],
    ids=["500", "503", "429", "cut"],
)
def test_a_passing_fault_is_overcome(bench: Workbench, registry: FaultyRegistry, faults: list[object]) -> None:
    registry.plan(f"GET /v2/team/api/blobs/{_digest(registry)}", *faults)  # type: ignore[arg-type]
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert "trying again" in ran.out
    assert bench.doit("verify").code == 0


def test_a_closed_port(bench: Workbench, registry: FaultyRegistry) -> None:
    images = bench.spec["images"]
    assert isinstance(images, list)
    images[1]["source"] = "127.0.0.1:1/team/api:1.0"
    bench.spec["registries"] = {"127.0.0.1:1": {"plain_http": True}}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "image 'api' (127.0.0.1:1/team/api:1.0)" in ran.err
    assert "refused" in ran.err.lower()


def test_plain_http_has_to_be_declared(bench: Workbench, registry: FaultyRegistry) -> None:
    bench.spec["registries"] = {}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "plain_http" in ran.err


def test_a_login_comes_from_dockers_config_and_is_never_shown(bench: Workbench, registry: FaultyRegistry) -> None:
    registry.basic = "robot:hush-hush"
    refused = bench.doit("bundle")
    assert refused.code == 1
    assert f"docker login {registry.host}" in refused.err
    auth = basic("robot:hush-hush").removeprefix("Basic ")
    (Path(bench.env["DOCKER_CONFIG"]) / "config.json").write_text(
        json.dumps({"auths": {registry.host: {"auth": auth}}})
    )
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    everything = b"".join(path.read_bytes() for path in bench.place.rglob("*") if path.is_file())
    for secret in (b"hush-hush", auth.encode()):
        assert secret not in everything
    assert "hush-hush" not in ran.out + ran.err + refused.out + refused.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_pull_goes_on_by_range(bench: Workbench, registry: FaultyRegistry, number: int) -> None:
    registry.plan(f"GET /v2/team/api/blobs/{_digest(registry)}", stall(2_000_000))
    run = bench.start("bundle")
    partial = bench.place / ".airgap/cache/partial"
    for _ in range(200):
        with contextlib.suppress(FileNotFoundError):  # one that is whole by now
            if any(path.stat().st_size >= 900_000 for path in partial.iterdir()):
                break
        time.sleep(0.05)
    run.send_signal(number)
    out, _ = run.communicate(timeout=20)
    assert "Traceback" not in out
    if number != signal.SIGKILL:
        assert run.returncode == 128 + number
        assert f"stopped by {signal.Signals(number).name}" in out
    assert not bench.bundle.exists()
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert "continuing" in ran.out
    first, *later = blob_reads(registry)
    assert first == ""
    assert len(later) == 1
    assert (
        int(later[0].removeprefix("bytes=").removesuffix("-")) >= 900_000
    )  # what was in memory is lost, at most 1 MiB
    assert bench.doit("verify").code == 0


def test_a_registry_that_serves_other_bytes_for_a_pin(bench: Workbench, registry: FaultyRegistry) -> None:
    assert bench.doit("pin").code == 0
    digest = json.loads((bench.place / "airgap.lock").read_text())["images"]["api"]["digest"]
    raw, kind = registry.manifests[("team/api", digest)]
    registry.manifests[("team/api", digest)] = (raw.replace(b'"schemaVersion"', b' "schemaVersion"'), kind)
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert digest in ran.err
    assert "image 'api'" in ran.err


def test_a_moved_tag_stays_pinned_until_it_is_locked(bench: Workbench, registry: FaultyRegistry) -> None:
    assert bench.doit("bundle").code == 0
    before = bench.files()
    moved = registry.put_image("team/api", "1.0", b"new layer", config={"os": "linux", "architecture": "amd64"})
    seen = len(registry.seen)
    assert bench.doit("bundle").steps == []
    assert len(registry.seen) == seen, "nothing to do asks nobody"
    assert bench.files() == before
    ran = bench.doit("lock", "api")
    assert f"-> {moved.digest}" in ran.out
    assert "pull:api" in bench.doit("bundle").steps


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("full", ["state", "out"])
def test_a_full_disk_loses_nothing(bench: Workbench, tmp_path: Path, full: str) -> None:
    assert bench.doit("bundle").code == 0
    before = bench.files()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.decode()}")
    try:
        ran = bench.doit("bundle", f"{full}={disk}")
        assert ran.code == 1
        assert "No space left on device" in ran.err
        assert "out=DIR or state=DIR" in ran.err
        assert bench.files() == before
        assert not list(disk.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_two_hundred_images(tmp_path: Path, registry: FaultyRegistry) -> None:
    bench = make(tmp_path / "many", images=["local"])
    names = [f"app-{number:03d}" for number in range(200)]
    shared = pseudo_random("shared", 10_000)
    for name in names:
        registry.put_image(f"team/{name}", "1", shared, name.encode(), config={"os": "linux", "architecture": "amd64"})
    bench.spec["images"] = [{"name": name, "source": f"{registry.host}/team/{name}:1"} for name in names]
    bench.spec["registries"] = {registry.host: {"plain_http": True}}
    bench.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    bench.write()
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    reads = [seen.path.rpartition("/")[2] for seen in registry.requests("GET") if "/blobs/" in seen.path]
    shared_digest = next(digest for digest, data in registry.blobs.items() if data == shared)
    assert reads.count(shared_digest) == 1, "a shared layer is fetched once"
    assert bench.doit("bundle").steps == []
