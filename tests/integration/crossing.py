"""A connected project, what is carried from it, and the program inside that installs it into a registry."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.oci import media_types
from bundle.oci.digest import Digest
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
            answer = self.registry.request(
                "GET", f"{repository}/manifests/1", headers={"Accept": media_types.OCI_MANIFEST}
            )
            assert str(Digest.of(answer.data)) == entries[name]["digest"]
            for digest, size in entries[name]["blobs"].items():
                blob = self.registry.request("GET", f"{repository}/blobs/{digest}")
                assert (blob.status, len(blob.data), str(Digest.of(blob.data))) == (200, size, digest)
