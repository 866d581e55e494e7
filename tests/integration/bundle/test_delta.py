"""A delta from the connected side into a real registry: it ends as a full bundle does, or is refused beforehand."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundle.formats.sizes import human
from bundle.oci.digest import Digest
from tests.fixtures.benches.crossing import BASE, Crossing, images_below
from tests.fixtures.images.images import layer
from tests.fixtures.parts.registries import RunningRegistry, each_version


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Repositories of this test's own."""
    return f"delta-{Digest.of(request.node.name.encode()).hex[:12]}"


def uploads(requests: list[Any]) -> list[str]:
    """The uploads that were finished: what was sent, and not mounted."""
    return [each.path for each in requests if each.method == "PUT" and "/blobs/" in each.path]


@pytest.mark.parametrize("bundle", [{}, {"layout": "docker-archive"}], ids=["oci", "docker-archive"])
def test_it_ends_as_a_full_bundle_does(
    tmp_path: Path, registry: RunningRegistry, prefix: str, bundle: dict[str, object]
) -> None:
    crossing = Crossing.make(tmp_path, registry, prefix, **bundle)
    crossing.installed(crossing.carry())
    crossing.change()
    full = crossing.carry()
    delta = crossing.carry(f"since={crossing.receipt}")
    assert delta.name == "shop-2.0-since-1.0"
    verified = crossing.inside(delta, "verify", f"since={crossing.receipt}")
    assert verified.code == 0
    assert "a delta, complete together with the receipt of shop 1.0" in verified.out
    planned = crossing.inside(delta, "plan", "install")
    config = 419  # bytes
    assert f"to send: {human(len(crossing.tops['api'].data) + config)} in 1 image\n" in planned.out
    with registry.recorded() as requests:
        ran = crossing.installed(delta)
    assert {"verify", "preflight", "transfer", "push:api", "receipt"} == set(ran.steps)
    assert len(uploads(requests)) == 2, "its config and its new layer"
    crossing.check(full, prefix)
    receipt = json.loads(crossing.receipt.read_text())
    assert receipt["bundle"]["version"] == "2.0"
    assert [each["blobs"] for each in receipt["images"]] == [
        each["blobs"] for each in json.loads((full / "manifest.json").read_text())["images"]
    ]
    with registry.recorded() as requests:
        again = crossing.installed(delta)
    assert again.steps == []
    assert {request.method for request in requests} == {"HEAD"}


@each_version
def test_layers_are_mounted_into_other_repositories(tmp_path: Path, registry: RunningRegistry, prefix: str) -> None:
    crossing = Crossing.make(tmp_path, registry, prefix)
    crossing.installed(crossing.carry())
    crossing.change(images=images_below("new/"))
    delta = crossing.carry(f"since={crossing.receipt}")
    with registry.recorded() as requests:
        ran = crossing.installed(delta)
    assert "mounted" in ran.out
    sent = {str(Digest.of(crossing.tops["api"].data))}
    layers = {str(Digest.of(each.data)) for each in (BASE, *crossing.tops.values())}
    finished = "".join(uploads(requests)).replace("%3A", ":")
    assert {digest for digest in layers if digest in finished} == sent
    crossing.check(delta, f"{prefix}/new")


def test_a_registry_that_mounts_nothing_is_read_from(tmp_path: Path, registry: RunningRegistry, prefix: str) -> None:
    """Where a mount is refused, the layer goes from the registry to the registry, through this machine."""
    crossing = Crossing.make(tmp_path, registry, prefix)
    crossing.installed(crossing.carry())
    crossing.change(images=images_below("new/"))
    delta = crossing.carry(f"since={crossing.receipt}")
    program = delta / "airgap.pyz"
    unmounting = delta.parent / "program"
    shutil.unpack_archive(program, unmounting, "zip")
    blobs = unmounting / "clients/registry/_blob_upload.py"
    asked = 'query = urlencode({"mount": str(descriptor.digest), "from": path})'
    assert asked in blobs.read_text()
    blobs.write_text(blobs.read_text().replace(asked, 'query = "no=mount"'))
    argv, env = crossing.words(delta, "install", f"bundle={delta}")
    argv[2] = str(unmounting)
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mounted" not in done.stdout
    crossing.check(delta, f"{prefix}/new")


def test_below_another_registry_prefix(tmp_path: Path, registry: RunningRegistry, prefix: str) -> None:
    """`registry=` moves what the base has in the repositories of the spec's prefix, too."""
    crossing = Crossing.make(tmp_path, registry, "nowhere")
    manifest = crossing.carry() / "manifest.json"
    kept = shutil.copy(manifest, tmp_path / "manifest-1.0.json")
    elsewhere = f"registry={registry.host}/{prefix}"
    crossing.installed(manifest.parent, elsewhere)
    crossing.change()
    delta = crossing.carry(f"since={kept}")
    ran = crossing.installed(delta, elsewhere)
    assert "push:api" in ran.steps
    crossing.check(delta, prefix)


def forget(registry: RunningRegistry, repository: str, digest: Digest | str) -> None:
    """Take a blob or manifest out of a repository, as a clean-up inside does."""
    kind = "blobs" if "sha256" in str(digest) else "manifests"
    assert registry.request("DELETE", f"/v2/{repository}/{kind}/{digest}").status == 202


def test_what_is_gone_inside_is_refused_before_any_change(
    tmp_path: Path, registry: RunningRegistry, prefix: str
) -> None:
    crossing = Crossing.make(tmp_path, registry, prefix)
    crossing.installed(crossing.carry())
    crossing.change()
    crossing.tops["web"] = layer("web 2", 8_500)
    crossing.write_images()
    delta = crossing.carry(f"since={crossing.receipt}")
    gone = Digest.of(BASE.data)
    forget(registry, f"{prefix}/api", gone)
    assert crossing.inside(delta, "verify", f"since={crossing.receipt}").code == 0, "the receipt does not know"
    assert crossing.inside(delta, "push:web").code == 0
    forget(registry, f"{prefix}/web", gone)
    with registry.recorded() as requests:
        refused = crossing.inside(delta, "install")
    assert refused.code == 1
    assert refused.steps == []
    assert f"image 'api': {gone} ({human(len(BASE.data))}): left out, because the receipt of shop 1.0 (" in refused.err
    assert f"looked in {registry.host}/{prefix}/api, {registry.host}/{prefix}/web" in refused.err
    assert "make a full bundle of shop 2.0: doit bundle (without since=)" in refused.err
    assert uploads(requests) == []
    planned = crossing.inside(delta, "plan", "install")
    assert f"not there: image 'api': {gone}" in planned.out
    crossing.installed(crossing.carry())
    crossing.check(delta, prefix, names=("api",))


@each_version
def test_a_registry_that_never_had_the_base(tmp_path: Path, registry: RunningRegistry, prefix: str) -> None:
    crossing = Crossing.make(tmp_path, registry, prefix)
    first = crossing.carry()
    crossing.change()
    delta = crossing.carry(f"since={shutil.copy(first / 'manifest.json', tmp_path / 'old.json')}")
    refused = crossing.inside(delta, "install")
    assert refused.code == 1
    for name in ("api", "web"):
        assert f"image '{name}': " in refused.err, "all at once"
    assert refused.steps == ["verify"]


def test_killed_half_way_the_next_run_ends_well(tmp_path: Path, registry: RunningRegistry, prefix: str) -> None:
    crossing = Crossing.make(tmp_path, registry, prefix)
    crossing.installed(crossing.carry())
    crossing.change()
    crossing.tops["web"] = layer("web 2", 8_500)
    crossing.write_images()
    (crossing.bench.place / "airgap.lock").unlink(missing_ok=True)
    delta = crossing.carry(f"since={crossing.receipt}")
    for step in ("verify", "preflight", "transfer", "push:"):
        argv, env = crossing.words(delta, "install", "jobs=1")
        with subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith(step):
                    os.kill(process.pid, signal.SIGKILL)
                    break
    crossing.installed(delta)
    crossing.check(delta, prefix)
    assert crossing.installed(delta).steps == []
