"""A delta from the connected side into a real registry: it ends as a full bundle does, or is refused beforehand."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundle import media
from bundle.digest import Digest
from bundle.sizes import human
from tests.integration.images import Layer, image, layer
from tests.integration.registries import RunningRegistry
from tests.tasks.workbench import Ran, Workbench, write_layout

BASE = layer("common", 300_000)


def images_below(place: str) -> list[dict[str, str]]:
    """The spec's images, with targets below this path."""
    return [{"name": name, "source": f"oci:images/{name}", "target": f"{place}{name}:1"} for name in ("api", "web")]


@dataclass(kw_only=True)
class Crossing:
    """A connected project of images `api` and `web` over one layer, and what was carried into a registry's `shop/`."""

    place: Path
    bench: Workbench
    registry: RunningRegistry
    tops: dict[str, Layer]

    @classmethod
    def make(cls, place: Path, registry: RunningRegistry, prefix: str, **bundle: object) -> "Crossing":
        """The project at version 1.0."""
        bench = Workbench(place=place / "outside")
        spec = {
            "version": 1,
            "bundle": {"name": "shop", "version": "1.0", **bundle},
            "registry": {"prefix": f"{registry.host}/{prefix}"},
            "registries": {registry.host: {"plain_http": True}},
            "images": [
                {"name": name, "source": f"oci:images/{name}", "target": f"{name}:1"} for name in ("api", "web")
            ],
        }
        crossing = cls(
            place=place,
            bench=bench,
            registry=registry,
            tops={"api": layer("api 1", 9_000), "web": layer("web 1", 8_000)},
        )
        bench.write(spec)
        crossing.write_images()
        (place / "docker").mkdir()
        return crossing

    def write_images(self) -> None:
        for name, top in self.tops.items():
            write_layout(self.bench.place / "images" / name, image(BASE, top), f"example.com/{name}:1")

    def change(self, version: str = "2.0", **spec: Any) -> None:
        """Another top layer for `api`."""
        self.tops["api"] = layer(f"api {version}", 9_500)
        self.write_images()
        self.bench.spec["bundle"] = {**self.bench.spec["bundle"], "version": version}  # type: ignore[dict-item]
        self.bench.write({**self.bench.spec, **spec})
        (self.bench.place / "airgap.lock").unlink(missing_ok=True)

    def carry(self, *words: str) -> Path:
        """Make a bundle, and copy it over."""
        ran = self.bench.doit("bundle", *words)
        assert ran.code == 0, ran.out + ran.err
        made = max(self.bench.dist.glob("shop-*/manifest.json"), key=lambda path: path.stat().st_mtime_ns).parent
        carried = self.place / "carried" / made.name
        shutil.rmtree(carried, ignore_errors=True)
        shutil.copytree(made, carried)
        return carried

    def words(self, carried: Path, *words: str) -> tuple[list[str], dict[str, str]]:
        """The carried program inside."""
        argv = [sys.executable, "-I", str(carried / "airgap.pyz"), *words, f"state={self.place / 'state'}"]
        return argv, {**os.environ, "DOCKER_CONFIG": str(self.place / "docker"), "NO_PROXY": "127.0.0.1"}

    def inside(self, carried: Path, *words: str) -> Ran:
        """Run the carried program to its end."""
        argv, env = self.words(carried, *words)
        done = subprocess.run(argv, cwd=self.place, env=env, capture_output=True, text=True, check=False, timeout=300)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def installed(self, carried: Path, *words: str) -> Ran:
        """Install, which must succeed."""
        ran = self.inside(carried, "install", *words)
        assert ran.code == 0, ran.out + ran.err
        return ran

    @property
    def receipt(self) -> Path:
        """What the last install wrote."""
        return self.place / "state" / "receipt.json"

    def check(self, carried: Path, prefix: str, *, names: tuple[str, ...] = ("api", "web")) -> None:
        """The registry has each image as the bundle states it, every blob of it readable and with its digest."""
        entries = {each["name"]: each for each in json.loads((carried / "manifest.json").read_text())["images"]}
        for name in names:
            repository = f"/v2/{prefix}/{name}"
            answer = self.registry.request("GET", f"{repository}/manifests/1", headers={"Accept": media.OCI_MANIFEST})
            assert str(Digest.of(answer.data)) == entries[name]["digest"]
            for digest, size in entries[name]["blobs"].items():
                blob = self.registry.request("GET", f"{repository}/blobs/{digest}")
                assert (blob.status, len(blob.data), str(Digest.of(blob.data))) == (200, size, digest)


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
    assert f"to send: {human(len(crossing.tops['api'].data) + config)} in 1 images" in planned.out
    with registry.recorded() as requests:
        ran = crossing.installed(delta)
    assert {"verify", "preflight", "push:api", "receipt"} == set(ran.steps)
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
    blobs = unmounting / "clients/blob_upload.py"
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
    for step in ("verify", "preflight", "push:"):
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
